#include "services/replica/spare_memory.h"

#include <malloc.h>
#include <unistd.h>

#include <algorithm>
#include <condition_variable>
#include <fstream>
#include <mutex>

namespace perigee::replica {
namespace {

// Without what is mapped of files, and shared. 0 when it cannot be read.
uint64_t ResidentBytes() {
  uint64_t size = 0, resident = 0, shared = 0;
  std::ifstream("/proc/self/statm") >> size >> resident >> shared;
  return (resident - shared) * static_cast<uint64_t>(sysconf(_SC_PAGESIZE));
}

uint64_t UsedBytes() {
  const struct mallinfo2 info = mallinfo2();
  return info.uordblks + info.hblkhd;
}

}  // namespace

bool SpareMemory::Look(uint64_t resident, uint64_t used) {
  const bool much = resident > used + std::max(kKeptBytes, used);
  found_ = much ? found_ + 1 : 0;
  if (found_ < kPatience) return false;
  found_ = 0;
  return true;
}

SpareMemoryReturner::SpareMemoryReturner(std::chrono::milliseconds interval)
    : thread_([interval](const std::stop_token& stop) {
        std::mutex mutex;
        std::condition_variable_any wakeup;
        std::unique_lock lock(mutex);
        SpareMemory spare;
        while (!stop.stop_requested()) {
          wakeup.wait_for(lock, stop, interval, [] { return false; });
          const uint64_t resident = ResidentBytes();
          // malloc counts piece by piece what is free: it is asked only when that may be much.
          const uint64_t used = resident > SpareMemory::kKeptBytes ? UsedBytes() : resident;
          if (spare.Look(resident, used)) malloc_trim(0);
        }
      }) {}

}  // namespace perigee::replica
