// The checksum behind every chunk of a body on the disk: XXH3, 64 bits.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

namespace perigee::replica {

using Checksum = std::array<char, 8>;

// `row`, the number of the chunk's row, is its seed, so that a chunk in another's place is damage too.
Checksum ChecksumOf(int64_t row, std::string_view bytes);

}  // namespace perigee::replica
