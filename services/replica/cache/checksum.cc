#include "services/replica/cache/checksum.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

#include <cstring>

#include "services/replica/cache/checksum_avx2.h"

namespace perigee::replica {
namespace {

uint64_t Hash(const void* bytes, size_t size, uint64_t seed) {
  return XXH3_64bits_withSeed(bytes, size, seed);
}

#if defined(__x86_64__)
const auto kFastest = __builtin_cpu_supports("avx2") ? HashByAvx2 : Hash;
#else
constexpr auto kFastest = Hash;
#endif

}  // namespace

Checksum ChecksumOf(int64_t row, std::string_view bytes) {
  XXH64_canonical_t canonical;
  XXH64_canonicalFromHash(&canonical, kFastest(bytes.data(), bytes.size(), static_cast<uint64_t>(row)));
  Checksum checksum;
  std::memcpy(checksum.data(), canonical.digest, checksum.size());
  return checksum;
}

}  // namespace perigee::replica
