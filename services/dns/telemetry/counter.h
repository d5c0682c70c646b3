// Counters that one thread writes and any other reads at any time: relaxed loads and stores, no
// read-modify-write.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>

namespace perigee::dns {

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
  uint64_t sum() const {
    uint64_t all = 0;
    for (const Counter& counter : counters_) all += counter.value();
    return all;
  }

 private:
  std::array<Counter, static_cast<size_t>(Reason::kCount)> counters_;
};

}  // namespace perigee::dns
