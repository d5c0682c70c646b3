// Which rung a client prefix answered last: what worked is tried first. Bounded; the prefix idle for longest
// is forgotten first.
//
// Not thread-safe.
#pragma once

#include <cstddef>
#include <cstdint>
#include <list>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "lib/base/address.h"
#include "services/prober/ladder.h"

namespace perigee {

inline constexpr size_t kMaxRememberedPrefixes = 65'536;
// What a rung keeps before one that worked last time: a client that answers it again is found by it again.
inline constexpr std::chrono::milliseconds kHeadStart{10};

class RungMemory {
 public:
  explicit RungMemory(size_t max_prefixes = kMaxRememberedPrefixes) : max_prefixes_(max_prefixes) {}
  RungMemory(const RungMemory&) = delete;
  RungMemory& operator=(const RungMemory&) = delete;

  // After a measurement has ended so; one that was silent forgets.
  void Learn(const IpAddress& client, const Measurement& measurement);

  // How to climb for this client: `usual`, but that
  // - what answered after ICMP echo last time is tried kHeadStart after it,
  // - of a client whose last hop answered, only the hops around that one are tried,
  // - the last hop of one that answered ICMP echo or TCP is looked for when TCP has had all its time.
  LadderPlan PlanFor(const IpAddress& client, const LadderPlan& usual) const;

  size_t size() const { return rungs_.size(); }

 private:
  struct Rung {
    ProbeMethod method{};
    uint8_t hop = 0;  // its time to live, of kLastHop and kUdpPort
  };
  using Idle = std::list<std::pair<IpPrefix, Rung>>;  // least recently learned first

  const size_t max_prefixes_;
  Idle idle_;
  absl::flat_hash_map<IpPrefix, Idle::iterator> rungs_;
};

}  // namespace perigee
