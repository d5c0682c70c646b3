// Whether the loops of a process go round. Each gives a sign at least every kLifeSignInterval; one that is
// silent for longer than kLifeSignLimit is stuck, and /healthz names it.
#pragma once

#include <atomic>
#include <chrono>
#include <list>
#include <mutex>
#include <string>

#include "lib/base/clock.h"
#include "lib/health/health_verdict.h"

namespace perigee {

inline constexpr std::chrono::seconds kLifeSignInterval{1};
inline constexpr std::chrono::seconds kLifeSignLimit{5};

// Of one loop, in a cache line of its own. Its thread gives it; any thread may read.
class alignas(64) LifeSign {
 public:
  LifeSign(std::string loop, MonoTime now) : loop_(std::move(loop)), last_(now) {}

  // Wait-free: for the hottest of loops.
  void Give(MonoTime now) { last_.store(now, std::memory_order_relaxed); }

  const std::string& loop() const { return loop_; }
  MonoTime last() const { return last_.load(std::memory_order_relaxed); }

 private:
  const std::string loop_;
  std::atomic<MonoTime> last_;
};

// Of all loops of a process. Thread-safe. Outlives the loops.
class LifeSigns {
 public:
  // For one more loop, called `loop`, which counts as alive at `now`. The reference holds as long as this.
  LifeSign& Add(std::string loop, MonoTime now);

  // Fails with each loop that is stuck.
  HealthVerdict Verdict(MonoTime now) const;

 private:
  mutable std::mutex mutex_;
  std::list<LifeSign> signs_;  // guarded by mutex_; what is in it needs no guard
};

}  // namespace perigee
