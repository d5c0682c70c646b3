#include "services/dns/steering/floors.h"

#include <algorithm>
#include <vector>

namespace perigee::dns {
namespace {

bool IsTimed(const Sample& sample) { return sample.timed(); }

// A floor, and another floor or a measurement, that can't be both of one place.
bool Contradict(std::span<const Sample> samples, size_t floor, size_t other,
                const ReplicaDistances& distances) {
  if (floor == other || !samples[floor].is_floor() || !samples[other].timed()) return false;
  const auto farthest = kFloorFactor * (samples[floor].rtt + samples[other].rtt) + kFloorSlack;
  return distances.Between(ToReplicaId(floor), ToReplicaId(other)) > farthest;
}

// The floor to be dropped, if any.
std::optional<size_t> MostContradicted(std::span<const Sample> samples, const ReplicaDistances& distances) {
  std::vector<size_t> timed;  // few of a large fleet
  for (size_t i = 0; i < samples.size(); ++i) {
    if (samples[i].timed()) timed.push_back(i);
  }
  std::optional<size_t> worst;
  ptrdiff_t most = 0;
  for (const size_t i : timed) {
    const auto count = std::count_if(timed.begin(), timed.end(),
                                     [&](size_t other) { return Contradict(samples, i, other, distances); });
    if (count == 0 || count < most) continue;
    if (worst && count == most && samples[i].rtt >= samples[*worst].rtt) continue;
    worst = i;
    most = count;
  }
  return worst;
}

}  // namespace

bool AgreeingFloors(std::span<const Sample> samples, const ReplicaDistances& distances,
                    std::span<Sample> out) {
  std::copy(samples.begin(), samples.end(), out.begin());
  const auto told = std::count_if(out.begin(), out.end(), IsTimed);
  while (const auto worst = MostContradicted(out, distances)) out[*worst] = Sample{};
  const auto witnesses = std::count_if(out.begin(), out.end(), IsTimed);
  const bool enough = witnesses >= std::min<ptrdiff_t>(kEnoughFloors, std::ssize(samples)) &&
                      static_cast<double>(told - witnesses) <= kMostLeftOut * static_cast<double>(told);
  ptrdiff_t floors = 0;
  for (Sample& sample : out) {
    if (enough && sample.is_floor()) {
      ++floors;
    } else {
      sample = Sample{};
    }
  }
  return floors > 0;
}

bool FloorsRefute(std::span<const Sample> samples, std::span<const Sample> around) {
  for (size_t i = 0; i < samples.size(); ++i) {
    if (!samples[i].is_floor() || !around[i].measured()) continue;
    if (samples[i].rtt > kFloorFactor * around[i].rtt + kFloorSlack) return true;
  }
  return false;
}

}  // namespace perigee::dns
