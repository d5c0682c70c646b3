#include "services/dns/steering/geography.h"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace perigee::dns {
namespace {

constexpr double kEarthRadiusKm = 6371, kKmPerMs = 200;

double Radians(double degrees) { return degrees * std::numbers::pi / 180; }

}  // namespace

double Kilometres(const Location& a, const Location& b) {
  const double lat = Radians(b.latitude - a.latitude), lon = Radians(b.longitude - a.longitude);
  const double h = std::pow(std::sin(lat / 2), 2) + std::cos(Radians(a.latitude)) *
                                                        std::cos(Radians(b.latitude)) *
                                                        std::pow(std::sin(lon / 2), 2);
  return 2 * kEarthRadiusKm * std::asin(std::sqrt(std::min(1.0, h)));
}

Rtt LeastRtt(const Location& a, const Location& b) {
  return Rtt(std::lround(2 * Kilometres(a, b) / kKmPerMs * 1000));
}

}  // namespace perigee::dns
