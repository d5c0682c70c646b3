// Where things are, and how far from each other: a matrix of round-trip times between places.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "lib/base/clock.h"

namespace perigee::sim {

struct Place {
  std::string name;
  double latitude = 0, longitude = 0;  // degrees; NaN where not known
};

class Geography {
 public:
  // Lines of text: "place NAME LATITUDE LONGITUDE" for each place, then as many lines "rtt MS MS …", in the
  // same order; '#' begins a comment. InvalidArgument names file and line.
  static absl::StatusOr<Geography> Read(const std::string& path);

  const std::vector<Place>& places() const { return places_; }
  std::optional<size_t> Find(std::string_view name) const;
  Rtt Between(size_t a, size_t b) const { return rtts_[a * places_.size() + b]; }
  // Along the great circle; nothing when a place is not located.
  std::optional<double> Kilometres(size_t a, size_t b) const;

 private:
  std::vector<Place> places_;
  std::vector<Rtt> rtts_;
};

}  // namespace perigee::sim
