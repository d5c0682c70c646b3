// Builds the answer to a parsed query in a buffer of the caller's. Pure; allocates nothing.
//
// The question is echoed octet for octet, so that 0x20 case survives. Names are compressed against all that
// stands before them. OPT is written when the query had one (RFC 6891 §6.1.1), with the DO bit copied
// (RFC 3225).
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <optional>
#include <span>

#include "lib/base/address.h"
#include "lib/dns_wire/compression.h"
#include "lib/dns_wire/constants.h"
#include "lib/dns_wire/cursor.h"
#include "lib/dns_wire/query.h"

namespace perigee::dns {

enum class Section : uint8_t { kAnswer, kAuthority, kAdditional };

// What becomes of the message when a set of the additional section does not fit. Answer and authority are
// always required.
enum class Need : uint8_t {
  kOptional,  // the set is left out, and that is all (RFC 2181 §9)
  kRequired,  // the set is left out, and TC is set: a referral's in-domain glue (RFC 9471 §3)
};

// The most octets of an NSID; with it and every other option a refusal still fits 512 octets.
inline constexpr size_t kMaxNsidSize = 128;

// The options of the answer's OPT. Without an OPT in the query none is written; otherwise those that are set,
// so set only what the query asked for.
struct EdnsReply {
  // At most kMaxNsidSize octets, what is more is cut off; none when empty (RFC 5001). Must outlive the
  // writer.
  std::span<const uint8_t> nsid;
  // The client's part and the server's (RFC 7873 §5.2).
  std::optional<std::array<uint8_t, kFullCookieSize>> cookie;
  // Echoes the query's client subnet with this scope, which is 0 whatever is said here when the query's
  // source prefix was 0. Without a subnet in the query nothing is written (RFC 7871 §7.2.1).
  std::optional<uint8_t> client_subnet_scope;
  // How long the connection may idle; sent in units of 100 ms, at most 6553.5 s. Over TCP only (RFC 7828).
  std::optional<std::chrono::milliseconds> keepalive;
};

// The most octets that the answer to `query` may have over UDP: 512 without EDNS; with it what the client
// offers, but never more than 1232 nor less than 512.
size_t UdpLimit(const ParsedQuery& query);

// RRsets are added in the order of the sections, each set by one call, so that a set is in the message whole
// or not at all (RFC 2181 §9). After one that was required and did not fit, TC is set and nothing more is
// added; after one that was not, smaller ones may still find room.
//
// With TC and no record, as rate limiting sends it: set_truncated(), then Finish().
class ResponseWriter {
 public:
  using Rdata = std::span<const uint8_t>;

  // `out` holds at least 512 octets, and its size is the limit. `query` and `out` must outlive the writer.
  // The room that `edns` needs is set apart at once.
  ResponseWriter(const ParsedQuery& query, std::span<uint8_t> out, const EdnsReply& edns = {});
  ResponseWriter(const ResponseWriter&) = delete;
  ResponseWriter& operator=(const ResponseWriter&) = delete;

  void set_rcode(Rcode rcode) { rcode_ = rcode; }
  void set_authoritative() { flags_ |= kFlagAa; }
  // Sets TC; what is added afterwards is left out.
  void set_truncated();

  // A set of any type, of the question's class. The RDATA come uncompressed; the names in NS, CNAME, PTR, MX
  // and SOA are compressed, those in other types never (RFC 3597 §4). TTLs are clamped to 31 bits (RFC 2181
  // §8).
  void AddSet(Section section, NameView owner, RrType type, std::chrono::seconds ttl,
              std::span<const Rdata> rdatas, Need need = Need::kOptional);

  // A set of A or AAAA: all of the family of the first.
  void AddAddresses(Section section, NameView owner, std::chrono::seconds ttl,
                    std::span<const IpAddress> addresses, Need need = Need::kOptional);

  bool truncated() const { return (flags_ & kFlagTc) != 0; }

  // Writes OPT and the header, and returns the size of the message. Call it once, at the end.
  size_t Finish();

 private:
  // The state that a set which does not fit goes back to.
  struct Mark {
    size_t size;
    size_t suffixes;
  };

  Mark Begin() const { return {writer_.size(), suffixes_.size()}; }
  void End(Section section, Need need, size_t records, const Mark& mark);
  // `owner_at` is where a pointer to the owner leads, 0 as long as the owner was not written.
  void WriteRecord(NameView owner, RrType type, uint32_t ttl, Rdata rdata, size_t* owner_at);
  void WriteAddress(NameView owner, uint32_t ttl, const IpAddress& address, size_t* owner_at);
  // Owner, type, class and TTL.
  void BeginRecord(NameView owner, RrType type, uint32_t ttl, size_t* owner_at);
  size_t WriteOwner(NameView owner);
  void WriteName(NameView name);
  size_t FindName(NameView name) const;
  void WritePointer(size_t offset);
  void WriteRdata(RrType type, Rdata rdata);
  void WriteOpt(const Edns& edns);

  const ParsedQuery& query_;
  const std::span<uint8_t> out_;
  const EdnsReply edns_;
  const size_t options_size_;
  Writer writer_;  // stops short of `out_` by the room that OPT needs
  SuffixTable suffixes_;
  uint16_t flags_;
  Rcode rcode_ = Rcode::kNoError;
  uint16_t counts_[3] = {};
  Section section_ = Section::kAnswer;  // of the last set
  bool full_ = false;
};

}  // namespace perigee::dns
