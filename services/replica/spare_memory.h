// Gives memory that a burst of load has left behind back to the system. malloc alone keeps nearly all of it:
// after 600 slow downloads of large bodies 350 MB, with nothing in them.
#pragma once

#include <chrono>
#include <cstdint>
#include <thread>

namespace perigee::replica {

// Decides when. Pure.
class SpareMemory {
 public:
  // So much may be spare, and as much as is used: the next burst finds it.
  static constexpr uint64_t kKeptBytes = 64'000'000;
  // Looks in a row that must find more: what comes and goes is not worth its page faults.
  static constexpr int kPatience = 3;

  // `resident`: what the process has of its own; `used`: what malloc has given out of it. True: give back the
  // rest.
  bool Look(uint64_t resident, uint64_t used);

 private:
  int found_ = 0;
};

// Looks, and gives back, in a thread of its own for as long as it lives.
class SpareMemoryReturner {
 public:
  explicit SpareMemoryReturner(std::chrono::milliseconds interval = std::chrono::seconds(10));

 private:
  std::jthread thread_;
};

}  // namespace perigee::replica
