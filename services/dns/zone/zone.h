// The authority's data: an immutable snapshot of one zone, and the plan for answering a question from it.
//
// A Zone never changes once built, so any number of threads may read it; look-ups allocate nothing. It is
// built by ZoneBuilder, from whatever source: the synthetic zone (synthetic.h) or a zone file.
#pragma once

#include <chrono>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/container/node_hash_map.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "lib/dns_wire/constants.h"
#include "lib/dns_wire/name.h"

namespace perigee::dns {

// RDATA in uncompressed wire format.
using Rdata = std::vector<uint8_t>;

struct RecordSet {
  RrType type{};
  std::chrono::seconds ttl{};
  std::vector<Rdata> rdatas;
};

// What exists at one name. With nothing in it, it is an empty non-terminal (RFC 8020).
struct Node {
  bool steered = false;  // its A and AAAA come from steering
  std::vector<RecordSet> sets;

  // Null when the type is not there.
  const RecordSet* Find(RrType type) const;
};

enum class PlanKind {
  kSteered,    // A or AAAA of a steered name
  kRecords,    // the RRset in `records`
  kNoData,     // the name exists, the type does not: SOA with the negative TTL (RFC 2308 §2.2)
  kNameError,  // NXDOMAIN, with SOA as well
  kRefused,    // not ours: another zone, another class, a transfer
};

struct Plan {
  PlanKind kind = PlanKind::kRefused;
  const RecordSet* records = nullptr;
};

class Zone {
 public:
  Zone(Zone&&) = default;
  Zone& operator=(Zone&&) = default;

  Plan Lookup(NameView name, RrType type, RrClass rr_class) const;

  NameView apex() const { return apex_; }
  // Null when nothing exists at `name`.
  const Node* Find(NameView name) const;
  const RecordSet& soa() const { return *soa_; }
  // The TTL of negative answers: the lesser of SOA's own TTL and its MINIMUM (RFC 2308 §3).
  std::chrono::seconds negative_ttl() const { return negative_ttl_; }

 private:
  friend class ZoneBuilder;
  Zone() = default;

  struct NameHash {
    using is_transparent = void;
    size_t operator()(NameView name) const { return name.Hash(); }
  };
  struct NameEqual {
    using is_transparent = void;
    bool operator()(NameView a, NameView b) const { return a == b; }
  };
  // Nodes stay where they are, so that soa_ survives a move of the zone.
  using Nodes = absl::node_hash_map<Name, Node, NameHash, NameEqual>;

  Name apex_;
  Nodes nodes_;
  Nodes chaos_;
  RecordSet minimal_any_;
  const RecordSet* soa_ = nullptr;
  std::chrono::seconds negative_ttl_{};
};

class ZoneBuilder {
 public:
  explicit ZoneBuilder(NameView apex);

  // InvalidArgument, naming the owner, for a name outside the zone or a TTL that differs within an RRset.
  absl::Status AddRecord(NameView owner, RrType type, std::chrono::seconds ttl, Rdata rdata);
  absl::Status AddSteered(NameView owner);
  // A TXT record of class CHAOS, such as "version.bind".
  absl::Status AddChaosText(std::string_view name, std::string_view text);

  // InvalidArgument unless the apex has exactly one SOA and at least one NS. The builder is used up.
  absl::StatusOr<Zone> Build() &&;

 private:
  absl::StatusOr<Node*> NodeAt(NameView owner);

  Zone zone_;
};

// One character-string of RDATA: a length octet and at most 255 octets; what is longer is cut.
void AppendCharacterString(std::string_view text, Rdata* rdata);

}  // namespace perigee::dns
