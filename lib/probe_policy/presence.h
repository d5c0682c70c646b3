#pragma once

#include <cstdint>

namespace perigee {

// Whether a client is known to be where it says it is. Who only asks over UDP may have forged that.
enum class Presence : uint8_t { kProven, kUnproven };

}  // namespace perigee
