// Reads a query as an authoritative server gets it (RFC 1035 §4, RFC 6891, RFC 7871). Pure; allocates
// nothing.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>

#include "lib/base/address.h"
#include "lib/dns_wire/constants.h"
#include "lib/dns_wire/name.h"

namespace perigee::dns {

// EDNS Client Subnet as a query carries it (RFC 7871 §6). The host bits of `address` are zero.
struct ClientSubnet {
  IpAddress address;
  uint8_t source_prefix = 0;
};

// A DNS cookie as a query carries it (RFC 7873 §4).
struct Cookie {
  std::array<uint8_t, 8> client{};
  std::array<uint8_t, 32> server{};
  uint8_t server_size = 0;  // 0, or 8 to 32
};

// The OPT record of a query. Other options than these are skipped.
struct Edns {
  uint16_t udp_payload = 0;  // octets that the client can take; may be below 512
  uint8_t version = 0;
  bool dnssec_ok = false;
  std::optional<ClientSubnet> client_subnet;
  std::optional<Cookie> cookie;
  bool nsid = false;       // the client asks for the server's identity (RFC 5001)
  bool keepalive = false;  // edns-tcp-keepalive (RFC 7828)
};

// Views into the query's bytes, which must outlive it.
struct ParsedQuery {
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
  kBadVers,  // EDNS version above 0
};

// Fills `query` as far as the message could be read, whatever the verdict, so that a refusal can echo the id,
// the question and EDNS (RFC 6891 §7 asks for OPT even with FORMERR).
ParseVerdict ParseQuery(std::span<const uint8_t> message, ParsedQuery* query);

}  // namespace perigee::dns
