// Time as a dependency: code that decides by time takes a Clock, so that tests run on a fake one.
#pragma once

#include <chrono>

namespace perigee {

using MonoTime = std::chrono::steady_clock::time_point;  // for durations; never goes back
using WallTime = std::chrono::system_clock::time_point;  // for what outlives the process, and for HTTP dates

// A measured round-trip time.
using Rtt = std::chrono::microseconds;

// Thread-safe.
class Clock {
 public:
  virtual ~Clock() = default;
  virtual MonoTime Now() const = 0;
  virtual WallTime WallNow() const = 0;
};

class SystemClock final : public Clock {
 public:
  MonoTime Now() const override { return std::chrono::steady_clock::now(); }
  WallTime WallNow() const override { return std::chrono::system_clock::now(); }
};

// Stands still until told otherwise. Not thread-safe while advancing.
class FakeClock final : public Clock {
 public:
  MonoTime Now() const override { return mono_; }
  WallTime WallNow() const override { return wall_; }

  void Advance(std::chrono::nanoseconds by) {
    mono_ += std::chrono::duration_cast<MonoTime::duration>(by);
    wall_ += std::chrono::duration_cast<WallTime::duration>(by);
  }

 private:
  MonoTime mono_{std::chrono::hours(1)};
  WallTime wall_{std::chrono::seconds(1'700'000'000)};
};

}  // namespace perigee
