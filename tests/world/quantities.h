// Quantities as the description file and `world set` write them: "12.5" ms, "5%", "0.2ms", "100mbit".
//
// Strict: no sign, no spaces, at most three decimals. Nothing comes back for anything else. Pure.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "lib/base/clock.h"

namespace perigee::world {

// "12", "12.5" or "12.5ms" in milliseconds; none when above kMaxRtt.
std::optional<std::chrono::microseconds> ParseMilliseconds(std::string_view text);

// "5%" or "0.125%", as a share of 1.
std::optional<double> ParsePercent(std::string_view text);

// "100mbit", "56kbit", "1gbit" in bits/s; "unlimited" is 0.
std::optional<uint64_t> ParseRate(std::string_view text);

// "0" to "30": a number of routers.
std::optional<uint8_t> ParseRouters(std::string_view text);

// The same ways back: "12.5", "5%", "100mbit".
std::string FormatMilliseconds(std::chrono::microseconds value);
std::string FormatPercent(double share);
std::string FormatRate(uint64_t bps);

}  // namespace perigee::world
