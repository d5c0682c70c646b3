#include "services/replica/counters.h"

namespace perigee::replica {
namespace {

template <size_t kSize>
void AddTo(std::array<Counter, kSize>& sum, const std::array<Counter, kSize>& others) {
  for (size_t i = 0; i < kSize; ++i) sum[i].Add(others[i].value());
}

}  // namespace

void Counters::AddAll(const Counters& others) {
  // What ended before what began: their difference is never negative.
  for (const auto counter :
       {&Counters::requests, &Counters::hits, &Counters::misses, &Counters::revalidated, &Counters::stale,
        &Counters::origin_errors, &Counters::collapsed, &Counters::connections_closed,
        &Counters::connections_opened, &Counters::tunnels_closed, &Counters::tunnels_opened,
        &Counters::accept_failures, &Counters::sent_bytes, &Counters::origin_requests}) {
    (this->*counter).Add((others.*counter).value());
  }
  by_method.AddAll(others.by_method);
  by_status.AddAll(others.by_status);
  AddTo(by_forward, others.by_forward);
  by_tier.AddAll(others.by_tier);
  hit_latency.AddAll(others.hit_latency);
  forwarded_latency.AddAll(others.forwarded_latency);
  refused.AddAll(others.refused);
  AddTo(origin_failures, others.origin_failures);
  origin_latency.AddAll(others.origin_latency);
}

}  // namespace perigee::replica
