// Compiled with -mavx2, and so without any header whose inline functions others use too.
#define XXH_INLINE_ALL
#include "services/replica/cache/checksum_avx2.h"

#include <xxhash.h>

namespace perigee::replica {

uint64_t HashByAvx2(const void* bytes, size_t size, uint64_t seed) {
  return XXH3_64bits_withSeed(bytes, size, seed);
}

}  // namespace perigee::replica
