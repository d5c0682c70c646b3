// How a question is answered from the zones: the plan, made without a lock, an allocation or I/O.
//
// RFC 1034 §4.3.2 as clarified by RFC 2181, 2308, 4592 (wildcards), 6672 (DNAME), 8020 (empty non-terminals),
// 8482 (ANY) and 9471 (glue is part of a referral). A CNAME chain is followed through all zones of the set,
// and its last name decides the rcode.
#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <span>

#include "lib/dns_wire/constants.h"
#include "lib/dns_wire/name.h"
#include "lib/dns_wire/response.h"
#include "services/dns/zone/zone.h"

namespace perigee::dns {

// Longer chains of CNAME and DNAME end here: the answer holds what there is, and the resolver goes on from
// it.
inline constexpr size_t kMaxChain = 8;
// A chain, and the sets of one referral or answer with its additional data.
inline constexpr size_t kMaxPlannedSets = 2 * kMaxChain + 24;

// The owner's and the set's bytes live in the zones or in the plan itself.
struct PlannedSet {
  Section section{};
  NameView owner;
  const RecordSet* set = nullptr;
  std::chrono::seconds ttl{};
};

enum class PlanKind : uint8_t {
  kAnswer,     // data; also a chain that leaves our zones
  kNoData,     // the name exists, the type does not
  kNameError,  // NXDOMAIN
  kReferral,   // a delegation: not authoritative
  kRefused,    // no zone of ours, a class or a transfer that is not served
  kSteered,    // after the planned sets comes the client's replica, at `steered_owner`
};

// Filled by PlanAnswer, then read. About 3 KB and not movable, for views point into it: keep it on the stack.
class AnswerPlan {
 public:
  AnswerPlan() = default;
  AnswerPlan(const AnswerPlan&) = delete;
  AnswerPlan& operator=(const AnswerPlan&) = delete;

  PlanKind kind() const { return kind_; }
  Rcode rcode() const { return rcode_; }
  bool authoritative() const { return authoritative_; }
  // In the order of the sections; SOA for a negative answer included, with its negative TTL.
  std::span<const PlannedSet> sets() const { return {sets_.data(), size_}; }

  // Of kSteered only: whose A or AAAA steering has to say, and the zone whose SOA says "no such family here".
  NameView steered_owner() const { return steered_owner_; }
  const Zone& steered_zone() const { return *steered_zone_; }

 private:
  friend class Planner;

  PlanKind kind_ = PlanKind::kRefused;
  Rcode rcode_ = Rcode::kRefused;
  bool authoritative_ = false;
  size_t size_ = 0;
  size_t names_ = 0;
  NameView steered_owner_;
  const Zone* steered_zone_ = nullptr;
  std::array<PlannedSet, kMaxPlannedSets> sets_;
  // Names, and their CNAMEs, that a DNAME or a wildcard made up.
  std::array<Name, kMaxChain> synthesized_names_;
  std::array<RecordSet, kMaxChain> synthesized_cnames_;
};

class ZoneSet;

// `qname` lives as long as the plan.
void PlanAnswer(const ZoneSet& zones, NameView qname, RrType qtype, RrClass qclass, AnswerPlan* plan);

}  // namespace perigee::dns
