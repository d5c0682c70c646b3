// What is counted, per Worker; the control port adds the Workers up.
#pragma once

#include <atomic>
#include <cstdint>

namespace perigee::replica {

// Written by one thread, read by any: no locked instruction on the hit path.
class Counter {
 public:
  void Add(uint64_t n = 1) { value_.store(get() + n, std::memory_order_relaxed); }
  void Subtract(uint64_t n = 1) { value_.store(get() - n, std::memory_order_relaxed); }
  uint64_t get() const { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<uint64_t> value_{0};
};

// The meaning of each is told in proto/perigee/v1/replica.proto.
struct Counters {
  Counter connections;
  Counter requests;
  Counter hits;
  Counter misses;
  Counter revalidated;
  Counter stale;
  Counter origin_errors;
  Counter collapsed;
};

}  // namespace perigee::replica
