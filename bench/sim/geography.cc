#include "bench/sim/geography.h"

#include <cmath>
#include <fstream>
#include <sstream>

#include "fmt/format.h"
#include "services/dns/steering/geography.h"

namespace perigee::sim {

absl::StatusOr<Geography> Geography::Read(const std::string& path) {
  std::ifstream file(path);
  if (!file) return absl::NotFoundError(fmt::format("cannot read {}", path));
  Geography geography;
  size_t number = 0;
  for (std::string line; std::getline(file, line);) {
    ++number;
    std::istringstream words(line);
    std::string kind;
    if (!(words >> kind) || kind.starts_with('#')) continue;
    if (kind == "place") {
      Place place;
      std::string latitude, longitude;
      if (words >> place.name >> latitude >> longitude) {
        place.latitude = std::strtod(latitude.c_str(), nullptr);
        place.longitude = std::strtod(longitude.c_str(), nullptr);
        geography.places_.push_back(std::move(place));
        continue;
      }
    } else if (kind == "rtt") {
      const size_t before = geography.rtts_.size();
      for (double ms; words >> ms;) geography.rtts_.push_back(Rtt(std::lround(ms * 1000)));
      if (geography.rtts_.size() - before == geography.places_.size()) continue;
    }
    return absl::InvalidArgumentError(
        fmt::format("{}:{}: neither 'place NAME LATITUDE LONGITUDE' nor 'rtt' and a number for each place",
                    path, number));
  }
  if (geography.rtts_.size() != geography.places_.size() * geography.places_.size()) {
    return absl::InvalidArgumentError(fmt::format("{}: not as many lines of rtt as of place", path));
  }
  return geography;
}

std::optional<size_t> Geography::Find(std::string_view name) const {
  for (size_t i = 0; i < places_.size(); ++i) {
    if (places_[i].name == name) return i;
  }
  return std::nullopt;
}

std::optional<double> Geography::Kilometres(size_t a, size_t b) const {
  const Place &from = places_[a], &to = places_[b];
  if (std::isnan(from.latitude + from.longitude + to.latitude + to.longitude)) return std::nullopt;
  return dns::Kilometres({from.latitude, from.longitude}, {to.latitude, to.longitude});
}

}  // namespace perigee::sim
