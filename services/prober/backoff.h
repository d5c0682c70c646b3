// How long to wait before the next attempt: exponential, with jitter, bounded.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <random>

namespace perigee {

// Not thread-safe. The random numbers come from `seed` alone, so that tests repeat.
class Backoff {
 public:
  using Duration = std::chrono::milliseconds;

  Backoff(Duration first, Duration most, uint32_t seed)
      : first_(first), most_(most), next_(first), rng_(seed) {}

  // The nominal delay doubles with each call; the one returned is between three quarters of it and all of it.
  Duration Next() {
    const Duration nominal = next_;
    next_ = std::min(nominal * 2, most_);
    return Duration(std::uniform_int_distribution<int64_t>(nominal.count() * 3 / 4, nominal.count())(rng_));
  }
  void Reset() { next_ = first_; }

 private:
  const Duration first_;
  const Duration most_;
  Duration next_;
  std::minstd_rand rng_;
};

}  // namespace perigee
