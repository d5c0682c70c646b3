// How values stand in the rows of DiskTier. Pure.
#pragma once

// The widest vector instructions that the processor has: a third of the time.
#if defined(__x86_64__)
#include <xxh_x86dispatch.h>
#else
#include <xxhash.h>
#endif

#include <array>
#include <chrono>
#include <cstdint>
#include <cstring>
#include <string_view>

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

// Behind a chunk's bytes. Seeded with the row's id, so that a chunk in another's place is damage too.
using Checksum = std::array<char, sizeof(XXH64_canonical_t)>;
inline Checksum ChecksumOf(int64_t row, std::string_view bytes) {
  XXH64_canonical_t canonical;
  XXH64_canonicalFromHash(&canonical,
                          XXH3_64bits_withSeed(bytes.data(), bytes.size(), static_cast<XXH64_hash_t>(row)));
  Checksum checksum;
  std::memcpy(checksum.data(), canonical.digest, checksum.size());
  return checksum;
}

}  // namespace perigee::replica
