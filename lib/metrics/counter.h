// Counters that one thread writes and any other reads at any time: relaxed loads and stores, no
// read-modify-write. A thread's counters belong into a block that is alignas(64), so that no two threads
// write to one cache line; who reads adds the blocks up.
#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <bit>
#include <chrono>
#include <cstddef>
#include <cstdint>

namespace perigee {

// One writer; a counter that others may read.
class Counter {
 public:
  void Add(uint64_t n = 1) { value_.store(value() + n, std::memory_order_relaxed); }
  uint64_t value() const { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<uint64_t> value_{0};
};

// Any number of writers: for what is rare.
class SharedCounter {
 public:
  void Add(uint64_t n = 1) { value_.fetch_add(n, std::memory_order_relaxed); }
  uint64_t value() const { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<uint64_t> value_{0};
};

// A counter for each value of an enumeration that ends with kCount.
template <typename Reason>
class CountersBy {
 public:
  Counter& operator[](Reason reason) { return counters_[static_cast<size_t>(reason)]; }
  const Counter& operator[](Reason reason) const { return counters_[static_cast<size_t>(reason)]; }
  static constexpr size_t size() { return static_cast<size_t>(Reason::kCount); }
  void AddAll(const CountersBy& others) {
    for (size_t i = 0; i < size(); ++i) counters_[i].Add(others.counters_[i].value());
  }
  uint64_t sum() const {
    uint64_t all = 0;
    for (const Counter& counter : counters_) all += counter.value();
    return all;
  }

 private:
  std::array<Counter, static_cast<size_t>(Reason::kCount)> counters_;
};

// A histogram of times.
class LatencyCounters {
 public:
  static constexpr size_t kBuckets = 24;  // up to 2^i microseconds; the last is everything longer

  // `count` events that took the same time. A negative time, of a clock that went back, counts as none.
  void Count(std::chrono::nanoseconds took, uint64_t count = 1) {
    took = std::max(took, std::chrono::nanoseconds::zero());
    buckets_[BucketOf(took)].Add(count);
    sum_us_.Add(static_cast<uint64_t>(took.count()) * count / 1000);
  }
  void AddAll(const LatencyCounters& others) {
    for (size_t i = 0; i < kBuckets; ++i) buckets_[i].Add(others.buckets_[i].value());
    sum_us_.Add(others.sum_us_.value());
  }

  uint64_t bucket(size_t i) const { return buckets_[i].value(); }
  uint64_t sum_us() const { return sum_us_.value(); }

 private:
  static size_t BucketOf(std::chrono::nanoseconds took) {
    const int64_t us = std::chrono::ceil<std::chrono::microseconds>(took).count();
    if (us <= 1) return 0;
    return std::min<size_t>(std::bit_width(static_cast<uint64_t>(us - 1)), kBuckets - 1);
  }

  std::array<Counter, kBuckets> buckets_;
  Counter sum_us_;
};

}  // namespace perigee
