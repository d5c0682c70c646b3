// Reads a query as an authoritative server gets it (RFC 1035 §4, RFC 6891). Pure; allocates nothing.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>

#include "lib/base/address.h"
#include "lib/dns_wire/constants.h"
#include "lib/dns_wire/name.h"

namespace perigee::dns {

enum class Transport { kUdp, kTcp };

// EDNS Client Subnet as a query carries it (RFC 7871 §6). The host bits of `address` are zero. A source
// prefix of 0 asks that nothing be made of the client's subnet (§7.1.2): answer as if the option were not
// there, and echo it. Only then may the family be kNone.
struct ClientSubnet {
  IpAddress address;
  uint8_t source_prefix = 0;
  AddressFamily family = AddressFamily::kV4;
};

// A DNS cookie as a query carries it (RFC 7873 §4).
struct Cookie {
  std::array<uint8_t, kClientCookieSize> client{};
  std::array<uint8_t, kMaxServerCookieSize> server{};
  uint8_t server_size = 0;  // 0, or 8 to 32
};

// The OPT record of a query. Other options than these are skipped, padding too (RFC 7830 §3 lets an answer go
// without it). Of an unknown version no option is read.
struct Edns {
  uint16_t udp_payload = 0;  // octets that the client can take; may be below 512
  uint8_t version = 0;
  bool dnssec_ok = false;
  std::optional<ClientSubnet> client_subnet;
  std::optional<Cookie> cookie;
  // The client asks for the server's identity. It should send nothing with it (RFC 5001 §2.1); as that
  // section gives the server nothing to do about it, what it sends is skipped.
  bool nsid = false;
  bool keepalive = false;  // edns-tcp-keepalive (RFC 7828); over TCP only
};

// Views into the query's bytes, which must outlive it.
struct ParsedQuery {
  ParsedQuery() {}  // spares the clearing of options that are not there

  uint16_t id = 0;
  uint16_t flags = 0;  // the whole second word of the header: see kFlag…
  Opcode opcode = Opcode::kQuery;
  // The question section as it came, to be echoed; empty when it could not be read.
  std::span<const uint8_t> question;
  NameView qname;
  RrType qtype{};
  RrClass qclass{};
  std::optional<Edns> edns;
};

enum class ParseVerdict {
  kOk,
  kDrop,     // not a query at all (too short, or a response): any answer could start a loop
  kFormErr,  // QDCOUNT is not 1, cut short, trailing octets, a second OPT, a malformed OPT or option
  kNotImp,   // an opcode other than QUERY
  kBadVers,  // EDNS version above 0; before kNotImp, for a server must say so whatever is asked of it
  // QDCOUNT is 0 and there is a cookie: a client that asks for a cookie only (RFC 7873 §5.4). The answer is
  // NOERROR, or BADCOOKIE for a wrong server part, with OPT and a cookie and no question.
  kCookieOnly,
};

// Fills `query` as far as the message could be read, whatever the verdict, so that a refusal can echo the id,
// the question and EDNS (RFC 6891 §7 asks for OPT even with FORMERR).
//
// Records of the answer and authority sections, and those that are not OPT (a TSIG, say), are read over.
// An option that may come once and comes twice, or that has a wrong length, is malformed: client subnet,
// cookie (RFC 7873 §5.2.2) and, over TCP, keepalive. Over UDP keepalive is ignored whatever it holds
// (RFC 7828 §3.2.1).
ParseVerdict ParseQuery(std::span<const uint8_t> message, ParsedQuery* query,
                        Transport transport = Transport::kUdp);

}  // namespace perigee::dns
