// How a question is answered from the zones: the plan, made without a lock, an allocation or I/O.
//
// RFC 1034 §4.3.2 as clarified by RFC 2181, 2308, 4592 (wildcards), 6672 (DNAME), 8020 (empty non-terminals),
// 8482 (ANY) and 9471 (glue is part of a referral). A CNAME chain is followed through all zones of the set,
// and its last name decides the rcode.
#pragma once

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
// The sets of a chain (each link may be a DNAME with its CNAME), and those of one referral or answer with its
// additional data. Additional data beyond it is left out; glue never is, for kMaxNameServers bounds it.
inline constexpr size_t kMaxPlannedSets = 2 * kMaxChain + 72;

// The owner's and the set's bytes live in the zones, in the question or in the plan itself.
struct PlannedSet {
  Section section{};
  NameView owner;
  const RecordSet* set = nullptr;
  std::chrono::seconds ttl{};
  bool glue =
      false;  // additional, without which the referral is of no use: TC when it does not fit (RFC 9471 §3.1)
};

enum class PlanKind : uint8_t {
  kAnswer,     // data; also a chain that leaves our zones, ends at a delegation, or grew too long (YXDOMAIN)
  kNoData,     // the name exists, the type does not
  kNameError,  // NXDOMAIN
  kReferral,   // a delegation: not authoritative
  kRefused,  // nothing but the rcode: REFUSED for no zone of ours, a class or a transfer that is not served;
             // FORMERR and NOTIMP for types that nobody can ask for
  kSteered,  // after the planned sets comes the client's replica, at `steered_owner`
};

// Filled by PlanAnswer, then read. About 7 KB, of which only what is used is touched, and not movable, for
// views point into it: keep it on the stack.
class AnswerPlan {
 public:
  AnswerPlan() {}  // leaves the storage as it is
  AnswerPlan(const AnswerPlan&) = delete;
  AnswerPlan& operator=(const AnswerPlan&) = delete;

  PlanKind kind() const { return kind_; }
  Rcode rcode() const { return rcode_; }
  bool authoritative() const { return authoritative_; }
  // In the order of the sections; SOA for a negative answer included, with its negative TTL.
  std::span<const PlannedSet> sets() const { return {sets_.items, size_}; }

  // Of kSteered only: whose A or AAAA steering has to say, and the zone whose SOA says "no such family here".
  NameView steered_owner() const { return steered_owner_; }
  const Zone& steered_zone() const { return *steered_zone_; }

 private:
  friend class Planner;

  // A CNAME that a DNAME made up. Its target is both its RDATA and the chain's next name.
  struct Synthesized {
    uint8_t target[kMaxNameSize];
    size_t target_size;
    Rdata rdata;
    RecordSet set;
  };
  // Items are made as they are needed.
  template <typename T, size_t n>
  union Storage {
    Storage() {}
    T items[n];
  };

  PlanKind kind_ = PlanKind::kRefused;
  Rcode rcode_ = Rcode::kRefused;
  bool authoritative_ = false;
  size_t size_ = 0;
  size_t synthesized_ = 0;
  NameView steered_owner_;
  const Zone* steered_zone_ = nullptr;
  Storage<PlannedSet, kMaxPlannedSets> sets_;
  Storage<Synthesized, kMaxChain> synthesized_cnames_;
};

class ZoneSet;

// `qname` lives as long as the plan. A plan may be filled anew.
void PlanAnswer(const ZoneSet& zones, NameView qname, RrType qtype, RrClass qclass, AnswerPlan* plan);

}  // namespace perigee::dns
