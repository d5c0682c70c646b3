#include "services/replica/telemetry/beacons.h"

#include <algorithm>
#include <utility>

namespace perigee::replica {

void Beacons::Add(Beacon beacon) {
  const std::lock_guard lock(mutex_);
  if (latest_.size() < kMax) {
    latest_.push_back(std::move(beacon));
  } else {
    latest_[added_ % kMax] = std::move(beacon);
  }
  ++added_;
}

uint64_t Beacons::now() const {
  const std::lock_guard lock(mutex_);
  return added_;
}

Beacons::Report Beacons::Since(uint64_t since) const {
  const std::lock_guard lock(mutex_);
  Report report{.beacons = {}, .next = added_};
  const uint64_t oldest = added_ - latest_.size();
  for (uint64_t i = std::max(since, oldest); i < added_; ++i) report.beacons.push_back(latest_[i % kMax]);
  return report;
}

}  // namespace perigee::replica
