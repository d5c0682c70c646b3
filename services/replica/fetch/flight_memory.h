// What bodies that are under way take of memory, together.
#pragma once

#include <atomic>
#include <cstdint>

namespace perigee::replica {

// Of all flights (flight.h), and of bodies that wait for slow clients. Thread-safe.
class FlightMemory {
 public:
  explicit FlightMemory(uint64_t limit) : limit_(limit) {}
  bool TryReserve(uint64_t bytes) { return TryReserve(bytes, limit_); }
  void ForceReserve(uint64_t bytes) { used_.fetch_add(bytes, std::memory_order_relaxed); }
  void Release(uint64_t bytes) { used_.fetch_sub(bytes, std::memory_order_relaxed); }
  uint64_t used() const { return used_.load(std::memory_order_relaxed); }

  // What waits for a slow client, for as long as it lives: within half of the memory, or slow clients could
  // keep every fetch from being shared and stored.
  class Hold {
   public:
    Hold(FlightMemory& memory, uint64_t bytes)
        : memory_(memory), bytes_(bytes), held_(memory.TryReserve(bytes, memory.limit_ / 2)) {}
    ~Hold() {
      if (held_) memory_.Release(bytes_);
    }
    Hold(const Hold&) = delete;
    Hold& operator=(const Hold&) = delete;
    explicit operator bool() const { return held_; }

   private:
    FlightMemory& memory_;
    const uint64_t bytes_;
    const bool held_;
  };

 private:
  bool TryReserve(uint64_t bytes, uint64_t limit) {
    if (used_.fetch_add(bytes, std::memory_order_relaxed) + bytes <= limit) return true;
    Release(bytes);
    return false;
  }

  const uint64_t limit_;
  std::atomic<uint64_t> used_{0};
};

}  // namespace perigee::replica
