// Builds the answer to a parsed query in a buffer of the caller's. Pure; allocates nothing.
//
// The question is echoed octet for octet, so that 0x20 case survives. Names are compressed against it. OPT is
// written when the query had one (RFC 6891 §6.1.1), with the DO bit copied (RFC 3225).
#pragma once

#include <chrono>
#include <cstdint>
#include <span>

#include "lib/base/address.h"
#include "lib/dns_wire/constants.h"
#include "lib/dns_wire/cursor.h"
#include "lib/dns_wire/query.h"

namespace perigee::dns {

enum class Section { kAnswer, kAuthority, kAdditional };

// The most octets that the answer to `query` may have over UDP: 512 without EDNS; with it what the client
// offers, but never more than 1232 nor less than 512.
size_t UdpLimit(const ParsedQuery& query);

// Records are added in the order of the sections. One that does not fit is left out with all that come after;
// in the answer and authority sections it sets TC (RFC 2181 §9).
class ResponseWriter {
 public:
  // `out` holds at least 512 octets, and its size is the limit. `query` and `out` must outlive the writer.
  ResponseWriter(const ParsedQuery& query, std::span<uint8_t> out);

  void set_rcode(Rcode rcode) { rcode_ = rcode; }
  void set_authoritative() { flags_ |= kFlagAa; }

  // A or AAAA, of the question's class. TTLs are clamped to 31 bits (RFC 2181 §8).
  void AddAddress(Section section, NameView owner, std::chrono::seconds ttl, const IpAddress& address);

  // Any type, of the question's class. `rdata` is uncompressed; the names in NS, CNAME, PTR and SOA are
  // compressed, those in other types never (RFC 3597 §4).
  void AddRecord(Section section, NameView owner, RrType type, std::chrono::seconds ttl,
                 std::span<const uint8_t> rdata);

  bool truncated() const { return (flags_ & kFlagTc) != 0; }

  // Writes OPT and the header, and returns the size of the message. Call it once, at the end.
  size_t Finish();

 private:
  void WriteName(NameView name);
  void WriteRdata(RrType type, std::span<const uint8_t> rdata);
  void WriteOpt(const Edns& edns);

  const ParsedQuery& query_;
  const std::span<uint8_t> out_;
  Writer writer_;  // stops short of `out_` by the room that OPT needs
  uint16_t flags_;
  Rcode rcode_ = Rcode::kNoError;
  uint16_t counts_[3] = {};
  bool full_ = false;
};

}  // namespace perigee::dns
