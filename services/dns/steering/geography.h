// What places on Earth say of round-trip times: little, but at once, and never too much.
#pragma once

#include <functional>
#include <optional>

#include "lib/base/address.h"
#include "lib/base/clock.h"

namespace perigee::dns {

// Degrees north and east.
struct Location {
  double latitude = 0;
  double longitude = 0;
};

// Where an address is; nothing when that is not known.
using Locate = std::function<std::optional<Location>(const IpAddress&)>;

// Along the great circle.
double Kilometres(const Location& a, const Location& b);

// There and back along it at the speed of light in fibre, 200 km/ms: no path is shorter.
Rtt LeastRtt(const Location& a, const Location& b);

// What paths most often take more than that, for their detours, and for what stands at their ends.
inline constexpr double kDetours = 1.6;
inline constexpr Rtt kAtTheEnds = std::chrono::milliseconds(2);
inline Rtt LikelyRtt(Rtt least) { return std::chrono::duration_cast<Rtt>(kDetours * least) + kAtTheEnds; }

}  // namespace perigee::dns
