#include "services/dns/telemetry/server_counters.h"

#include <chrono>

namespace perigee::dns {
namespace {

int64_t UnixMs(WallTime time) {
  return std::chrono::duration_cast<std::chrono::milliseconds>(time.time_since_epoch()).count();
}

}  // namespace

void SaveCounters::Saved(uint64_t count, WallTime now) {
  rows.Add(count);
  saves.Add();
  last_success_unix_ms.store(UnixMs(now), std::memory_order_relaxed);
}

void ReloadCounters::Started(WallTime now) {
  last_success_unix_ms.store(UnixMs(now), std::memory_order_relaxed);
}

void ReloadCounters::Reloaded(bool ok, WallTime now) {
  (ok ? succeeded : refused).Add();
  if (ok) last_success_unix_ms.store(UnixMs(now), std::memory_order_relaxed);
}

}  // namespace perigee::dns
