#include "services/dns/telemetry/query_counters.h"

#include <algorithm>

namespace perigee::dns {
namespace {

template <typename Counters, typename Number>
void CountClamped(Counters& counters, Number number) {
  counters[std::min(static_cast<size_t>(number), counters.size() - 1)].Add();
}

}  // namespace

void QueryCounters::CountType(RrType type) { CountClamped(by_type, type); }
void QueryCounters::CountRcode(Rcode rcode) { CountClamped(by_rcode, rcode); }
void QueryCounters::CountReason(Reason reason) { CountClamped(by_reason, reason); }

QueryCounters& QueryCounterRegistry::NewBlock() {
  const std::lock_guard lock(mutex_);
  return *blocks_.emplace_back(std::make_unique<QueryCounters>());
}

}  // namespace perigee::dns
