// How values stand in the rows of DiskTier. Pure.
#pragma once

#include <chrono>
#include <cstdint>

#include "lib/base/clock.h"
#include "services/replica/cache/disk_tier.h"

namespace perigee::replica {

inline int64_t ToMicros(WallTime time) {
  return std::chrono::duration_cast<std::chrono::microseconds>(time.time_since_epoch()).count();
}
inline WallTime FromMicros(int64_t micros) { return WallTime(std::chrono::microseconds(micros)); }

inline int64_t ChunkRow(ObjectId id, uint64_t number) {
  return static_cast<int64_t>((id << DiskTier::kChunkBits) + number);
}

}  // namespace perigee::replica
