// Builds a Zone, and refuses one that is broken: whole, so that a server never serves half a zone.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/container/node_hash_map.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "services/dns/zone/zone.h"

namespace perigee::dns {

// RDATA that owns its octets.
using RdataBuffer = std::vector<uint8_t>;

// A delegation, and the apex, have at most so many name servers: the glue of all of them is part of one
// referral.
inline constexpr size_t kMaxNameServers = 32;
// The sets of one name. The type look-up is a walk through them.
inline constexpr size_t kMaxSetsPerName = 64;
// The octets of an RRset's RDATA, so that a message can hold the set.
inline constexpr size_t kMaxRecordSetSize = 60'000;

// Where a record was read, for messages. Line 0 means nowhere: the zone was made.
struct SourceLine {
  uint32_t file = 0;  // as AddFile returned it
  uint32_t line = 0;
};

class ZoneBuilder {
 public:
  explicit ZoneBuilder(NameView apex);

  NameView apex() const { return apex_; }

  // Registers a file's name.
  uint32_t AddFile(std::string name);

  // A record seen before is dropped. InvalidArgument "file:line: owner: what is wrong" for a name outside the
  // zone, malformed RDATA of a well-known type, or a TTL that differs within an RRset (RFC 2181 §5.2: all are
  // equal, and only the operator knows which one is meant).
  absl::Status AddRecord(NameView owner, RrType type, std::chrono::seconds ttl, Rdata rdata,
                         SourceLine where = {});
  absl::Status AddSteered(NameView owner, SourceLine where = {});
  // For a zone that is made where the server's own address is not known: the parent's glue leads to it.
  void AllowServersWithoutAddress() { servers_need_addresses_ = false; }

  // InvalidArgument, with file and line, unless
  // - the apex has exactly one SOA, at least one NS, and neither CNAME nor DNAME beside them;
  // - a CNAME stands alone, a DNAME is single and nothing lies below it (RFC 6672 §2.3, §2.4);
  // - NS and MX name no CNAME of the zone (RFC 2181 §10.3), and a name server in the zone has an address;
  // - no wildcard owns NS or DNAME (RFC 4592 §4.2, §4.4);
  // - steered names have no A, AAAA or CNAME of their own and lie neither at nor below a delegation.
  // The builder is used up.
  absl::StatusOr<Zone> Build() &&;

 private:
  friend class ZoneChecks;

  struct Set {
    RrType type{};
    std::chrono::seconds ttl{};
    std::vector<RdataBuffer> rdatas;
    size_t size = 0;
    SourceLine where;
  };
  struct Entry {
    bool steered = false;
    SourceLine where;
    std::vector<Set> sets;

    const Set* Find(RrType type) const;
  };
  using Entries = absl::node_hash_map<Name, Entry, NameHash, NameEqual>;

  absl::Status Bad(NameView owner, SourceLine where, std::string_view why) const;
  absl::StatusOr<Entry*> EntryAt(NameView owner, SourceLine where);
  absl::Status AddTo(Set* set, NameView owner, std::chrono::seconds ttl, Rdata rdata, SourceLine where);
  // The entry's name servers end the zone there.
  bool IsCut(NameView name, const Entry& entry) const;
  // The topmost delegation at or above `name`; null when the name is the zone's own.
  const Entries::value_type* CutOver(NameView name) const;

  Zone Freeze() const;

  Name apex_;
  std::vector<std::string> files_;
  Entries entries_;
  bool servers_need_addresses_ = true;
};

// One character-string of RDATA: a length octet and at most 255 octets; what is longer is cut.
void AppendCharacterString(std::string_view text, RdataBuffer* rdata);

// Whether the RDATA is what its type asks for: A, AAAA, NS, CNAME, SOA, PTR, MX, SRV, DNAME, SVCB, HTTPS.
// True for all others.
bool IsWellFormed(RrType type, Rdata rdata);

}  // namespace perigee::dns
