#include "services/dns/measurement/credibility.h"

#include <algorithm>

#include "lib/log/log.h"
#include "services/dns/steering/contradiction.h"

namespace perigee::dns {
namespace {

// With fewer that answered nobody could be in two contradictions: no evidence, for trust neither.
constexpr int kWitnesses = 3;

}  // namespace

Credibility::Credibility(FleetState& fleet, DistanceView& distances, MeasurementCounters& counters)
    : fleet_(fleet), distances_(distances), counters_(counters), too_near_(fleet.size()) {
  for (size_t i = 0; i < fleet.size(); ++i)
    too_near_[i] = fleet.distrusted().Contains(ToReplicaId(i)) ? 1 : 0;
}

void Credibility::Weigh(std::span<const Sample> samples) {
  const auto probed =
      std::count_if(samples.begin(), samples.end(), [](const Sample& s) { return s.probed(); });
  if (probed < kWitnesses) return;
  const auto liar = WhoIsTooNear(samples, distances_.longer());
  if (liar) counters_.contradictions.Add();
  for (size_t i = 0; i < samples.size(); ++i) {
    if (!samples[i].probed()) continue;
    const ReplicaId id = ToReplicaId(i);
    too_near_[i] += ((liar == id ? 1 : 0) - too_near_[i]) * kEvidenceWeight;
    const bool was = fleet_.distrusted().Contains(id);
    const bool is = too_near_[i] > (was ? kTrustBelow : kDistrustAbove);
    if (is == was) continue;
    fleet_.SetDistrusted(id, is);
    const ReplicaInfo& info = fleet_.info(id);
    LogWarning(
        LogModule::kDnsMeasurement, {{"replica", info.name}},
        "the prober of replica {} ({}) is {}: its times contradict those of all others for {:.0f} % of "
        "the clients",
        info.name, info.prober.ToString(), is ? "distrusted" : "believed again", 100 * too_near_[i]);
  }
}

}  // namespace perigee::dns
