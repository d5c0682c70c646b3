#include "services/replica/telemetry/client_rtts.h"

#include <algorithm>
#include <map>

namespace perigee::replica {

void ClientRtts::Add(const IpAddress& client, Rtt rtt) {
  const std::lock_guard lock(mutex_);
  if (samples_.empty()) samples_.resize(kMaxSamples);
  samples_[added_++ % kMaxSamples] = {client, rtt};
}

uint64_t ClientRtts::now() const {
  const std::lock_guard lock(mutex_);
  return added_;
}

ClientRtts::Report ClientRtts::Since(uint64_t since) const {
  Report report;
  std::vector<Sample> samples;
  {
    const std::lock_guard lock(mutex_);
    report.next = added_;
    const uint64_t oldest = added_ - std::min<uint64_t>(added_, kMaxSamples);
    const uint64_t first = std::clamp(since, oldest, added_);
    report.missed = first - std::min(since, first);
    for (uint64_t i = first; i < added_; ++i) samples.push_back(samples_[i % kMaxSamples]);
  }
  std::map<IpPrefix, PrefixRtt> by_prefix;
  for (const Sample& sample : samples) {
    const IpPrefix prefix = ClientPrefix(sample.client);
    PrefixRtt& row = by_prefix.try_emplace(prefix, PrefixRtt{prefix, sample.rtt, 0}).first->second;
    row.least = std::min(row.least, sample.rtt);
    ++row.connections;
  }
  for (const auto& [prefix, row] : by_prefix) report.prefixes.push_back(row);
  return report;
}

}  // namespace perigee::replica
