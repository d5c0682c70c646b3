#include "services/dns/steering/refinement.h"

#include <algorithm>
#include <array>

namespace perigee::dns {

ReplicaSet Contenders(std::span<const Sample> samples, ReplicaSet askable,
                      const ReplicaDistances& distances) {
  const auto best = Nearest(samples, askable);
  if (!best) return {};
  const Rtt best_rtt = samples[Index(*best)].rtt;
  std::array<ReplicaId, kMaxReplicas> possible;
  size_t count = 0;
  for (size_t i = 0; i < samples.size(); ++i) {
    const ReplicaId id = ToReplicaId(i);
    if (askable.Contains(id) && !RuledOutByDistance(*best, best_rtt, id, distances)) possible[count++] = id;
  }
  const auto rank = [&](ReplicaId id) {
    const Sample& sample = samples[Index(id)];
    return sample.measured() ? sample.rtt : Rtt::max();
  };
  std::stable_sort(possible.begin(), possible.begin() + count,
                   [&](ReplicaId a, ReplicaId b) { return rank(a) < rank(b); });
  ReplicaSet contenders;
  for (size_t i = 0; i < std::min<size_t>(count, kMaxContenders); ++i) contenders.Add(possible[i]);
  return contenders.size() > 1 ? contenders : ReplicaSet{};
}

}  // namespace perigee::dns
