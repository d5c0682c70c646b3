// A heap of things that are due at a time: the earliest comes out first, and of equals the one that went in
// first, so that a flow of constant delay keeps its order.
//
// O(log n) each way; the bound on how much may wait is the caller's. Not thread-safe.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

#include "lib/base/clock.h"

namespace perigee::world {

template <typename T>
class DelayQueue {
 public:
  void Push(MonoTime due, T value) {
    heap_.push_back(Entry{due, next_sequence_++, std::move(value)});
    std::push_heap(heap_.begin(), heap_.end(), Later);
  }

  std::optional<MonoTime> NextDue() const {
    if (heap_.empty()) return std::nullopt;
    return heap_.front().due;
  }

  // The next thing whose time has come by `now`.
  std::optional<T> PopDue(MonoTime now) {
    if (heap_.empty() || heap_.front().due > now) return std::nullopt;
    std::pop_heap(heap_.begin(), heap_.end(), Later);
    T value = std::move(heap_.back().value);
    heap_.pop_back();
    return value;
  }

  size_t size() const { return heap_.size(); }

 private:
  struct Entry {
    MonoTime due;
    uint64_t sequence;
    T value;
  };

  static bool Later(const Entry& a, const Entry& b) {
    return a.due != b.due ? a.due > b.due : a.sequence > b.sequence;
  }

  std::vector<Entry> heap_;
  uint64_t next_sequence_ = 0;
};

}  // namespace perigee::world
