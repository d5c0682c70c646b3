// SipHash-2-4 (Aumasson and Bernstein 2012): a keyed hash of short inputs, whose values can't be guessed
// without the key. Pure; allocates nothing.
#pragma once

#include <array>
#include <cstdint>
#include <span>

namespace perigee::dns {

using SipHashKey = std::array<uint8_t, 16>;

// The reference implementation writes this number in little-endian order.
uint64_t SipHash24(const SipHashKey& key, std::span<const uint8_t> data);

}  // namespace perigee::dns
