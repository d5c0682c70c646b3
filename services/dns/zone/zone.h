// The authority's data: an immutable snapshot of one zone.
//
// A Zone never changes once built, so any number of threads may read it; look-ups allocate nothing. Names,
// RDATA and sets lie in arrays of the zone's own, and all views stay valid when the zone is moved. It is
// built by ZoneBuilder (zone_builder.h), from whatever source: a master file (zone_file.h) or a few options
// (synthetic.h).
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "lib/dns_wire/constants.h"
#include "lib/dns_wire/name.h"

namespace perigee::dns {

// RDATA in uncompressed wire format, kept elsewhere.
using Rdata = std::span<const uint8_t>;

struct RecordSet {
  RrType type{};
  std::chrono::seconds ttl{};
  std::span<const Rdata> rdatas;  // never empty
};

// What exists at one name. With nothing in it, it is an empty non-terminal (RFC 8020).
struct Node {
  NameView name;
  bool steered = false;       // its A and AAAA come from steering
  const Node* cut = nullptr;  // the topmost delegation at or above this name: from there on the zone ends
  const Node* wildcard = nullptr;  // the name "*" directly below
  std::span<const RecordSet> sets;

  bool empty() const { return sets.empty() && !steered; }
  // Null when the type is not there.
  const RecordSet* Find(RrType type) const;
};

// For tables that are looked into by NameView.
struct NameHash {
  using is_transparent = void;
  size_t operator()(NameView name) const { return name.Hash(); }
};
struct NameEqual {
  using is_transparent = void;
  bool operator()(NameView a, NameView b) const { return a == b; }
};

class Zone {
 public:
  Zone(Zone&&) = default;
  Zone& operator=(Zone&&) = default;

  NameView apex() const { return apex_->name; }
  const RecordSet& soa() const { return *soa_; }
  // The TTL of negative answers: the lesser of SOA's own TTL and its MINIMUM (RFC 2308 §3).
  std::chrono::seconds negative_ttl() const { return negative_ttl_; }

  // Null when nothing exists at `name`, be it for a wildcard or a delegation above.
  const Node* Find(NameView name) const;
  // The longest existing ancestor of `name`, or the name itself (RFC 4592 §3.3.1). `name` lies within the
  // zone.
  const Node& ClosestEncloser(NameView name) const;
  // In no order.
  std::span<const Node> nodes() const { return nodes_; }

 private:
  friend class ZoneBuilder;
  Zone() = default;

  std::vector<uint8_t> octets_;  // first, for all views point into it
  std::vector<Rdata> rdatas_;
  std::vector<RecordSet> sets_;
  std::vector<Node> nodes_;
  absl::flat_hash_map<NameView, const Node*, NameHash, NameEqual> index_;
  size_t longest_name_ = 0;  // in octets; whatever is longer needs no look-up
  const Node* apex_ = nullptr;
  const RecordSet* soa_ = nullptr;
  std::chrono::seconds negative_ttl_{};
};

// The name that RDATA of this type refers to and for whose addresses a resolver asks next: of NS, MX, SRV,
// SVCB and HTTPS (of the last two the owner's own, when the target is "."; RFC 9460 §2.5.2). False for other
// types, for "no such service" (RFC 7505, RFC 2782) and for malformed RDATA.
bool ReadTarget(RrType type, Rdata rdata, NameView owner, NameView* target);

}  // namespace perigee::dns
