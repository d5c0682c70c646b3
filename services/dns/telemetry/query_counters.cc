#include "services/dns/telemetry/query_counters.h"

#include <algorithm>
#include <bit>

namespace perigee::dns {
namespace {

// Of the smallest bucket 2^i microseconds that holds it.
size_t LatencyBucket(std::chrono::nanoseconds took) {
  const int64_t us = std::chrono::ceil<std::chrono::microseconds>(took).count();
  if (us <= 1) return 0;
  return std::min<size_t>(std::bit_width(static_cast<uint64_t>(us - 1)), QueryCounters::kLatencies - 1);
}

template <typename Counters, typename Number>
void CountClamped(Counters& counters, Number number) {
  counters[std::min(static_cast<size_t>(number), counters.size() - 1)].Add();
}

}  // namespace

void QueryCounters::CountType(RrType type) { CountClamped(by_type, type); }
void QueryCounters::CountRcode(Rcode rcode) { CountClamped(by_rcode, rcode); }
void QueryCounters::CountReason(Reason reason) { CountClamped(by_reason, reason); }

void QueryCounters::CountLatency(std::chrono::nanoseconds took, uint64_t count) {
  took = std::max(took, std::chrono::nanoseconds::zero());
  latency[LatencyBucket(took)].Add(count);
  latency_sum_us.Add(static_cast<uint64_t>(took.count()) * count / 1000);
}

QueryCounters& QueryCounterRegistry::NewBlock() {
  const std::lock_guard lock(mutex_);
  return *blocks_.emplace_back(std::make_unique<QueryCounters>());
}

}  // namespace perigee::dns
