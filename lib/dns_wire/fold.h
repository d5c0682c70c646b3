// What the sources of this folder share about the octets of names.
#pragma once

#include <cstdint>

namespace perigee::dns {

// A length octet with these bits starts a pointer.
inline constexpr uint8_t kPointerBits = 0xc0;

// The octet without ASCII case. Harmless to length octets too: at most 63, they lie below 'A'. So whole names
// fold without a look at labels.
constexpr uint8_t Fold(uint8_t c) { return c >= 'A' && c <= 'Z' ? static_cast<uint8_t>(c | 0x20) : c; }

}  // namespace perigee::dns
