// XXH3 by AVX2, which takes half the time of what every x86-64 has. AVX-512 is faster still, but the
// processor then runs everything else more slowly: a hit from the disk costs more with it.
#pragma once

#include <cstddef>
#include <cstdint>

namespace perigee::replica {

// Only where the processor has AVX2.
uint64_t HashByAvx2(const void* bytes, size_t size, uint64_t seed);

}  // namespace perigee::replica
