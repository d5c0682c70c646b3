// What is counted, per Worker: written by its thread alone, read by any. Server adds the Workers up.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>

#include "lib/http_semantics/cache_status.h"
#include "lib/metrics/counter.h"
#include "services/replica/fetch/fetch_error.h"
#include "services/replica/telemetry/words.h"

namespace perigee::replica {

struct alignas(64) Counters {
  static constexpr size_t kForwards = static_cast<size_t>(http::Forward::kStale) + 1;
  static constexpr size_t kFetchErrors = 32;  // by FetchError's number; the last is every one from 31 on

  // The meaning of these is told in proto/perigee/v1/replica.proto.
  Counter requests;
  Counter hits;
  Counter misses;
  Counter revalidated;
  Counter stale;
  Counter origin_errors;
  Counter collapsed;

  // Those open now are the difference.
  Counter connections_opened, connections_closed;
  Counter accept_failures;  // of the system: no descriptors, no memory

  Counter tunnels_opened, tunnels_closed;

  // Requests, when they end.
  CountersBy<MethodClass> by_method;
  CountersBy<StatusClass> by_status;
  std::array<Counter, kForwards> by_forward;
  CountersBy<HitTier> by_tier;  // of hits
  Counter sent_bytes;           // to clients, heads included
  LatencyCounters hit_latency;  // from a request's head to the last byte of its answer
  LatencyCounters forwarded_latency;
  CountersBy<Refusal> refused;

  // Exchanges with the origin.
  Counter origin_requests;
  std::array<Counter, kFetchErrors> origin_failures;
  LatencyCounters origin_latency;  // to the response's head, connecting included; of those that have one

  uint64_t connections() const { return Open(connections_opened, connections_closed); }
  uint64_t tunnels() const { return Open(tunnels_opened, tunnels_closed); }
  void CountForward(http::Forward forward) {
    by_forward[std::min(static_cast<size_t>(forward), kForwards - 1)].Add();
  }
  void CountOriginFailure(FetchError error) {
    origin_failures[std::min(static_cast<size_t>(error), kFetchErrors - 1)].Add();
  }
  void AddAll(const Counters& others);

 private:
  static uint64_t Open(const Counter& opened, const Counter& closed) {
    const uint64_t gone = closed.value(), come = opened.value();
    return std::max(come, gone) - gone;
  }
};

}  // namespace perigee::replica
