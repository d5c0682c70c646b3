#include "lib/health/life_signs.h"

#include <utility>

#include "fmt/format.h"

namespace perigee {

LifeSign& LifeSigns::Add(std::string loop, MonoTime now) {
  const std::lock_guard lock(mutex_);
  return signs_.emplace_back(std::move(loop), now);
}

HealthVerdict LifeSigns::Verdict(MonoTime now) const {
  const std::lock_guard lock(mutex_);
  HealthVerdict verdict;
  for (const LifeSign& sign : signs_) {
    const auto silent = now - sign.last();
    if (silent <= kLifeSignLimit) continue;
    verdict.failures.push_back(fmt::format("{} has been stuck for {} s", sign.loop(),
                                           std::chrono::duration_cast<std::chrono::seconds>(silent).count()));
  }
  return verdict;
}

}  // namespace perigee
