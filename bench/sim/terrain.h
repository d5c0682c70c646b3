// Worlds too large for a matrix in a file, or that change: how far places are from each other, and when.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "lib/base/clock.h"
#include "services/dns/steering/geography.h"

namespace perigee::sim {

class Terrain {
 public:
  virtual ~Terrain() = default;
  virtual size_t places() const = 0;
  // Moments at which the distances are known, from the first on.
  virtual size_t moments() const { return 1; }
  virtual Rtt Between(size_t a, size_t b, size_t moment) const = 0;
  virtual std::optional<dns::Location> LocationOf(size_t) const { return std::nullopt; }
};

// Places strewn over the sphere between 44 degrees south and 72 north. A path takes what light in fibre takes
// for 1.2 to 2.2 times the great circle, another factor for each pair, and 2 ms.
std::unique_ptr<Terrain> MakeSphere(size_t places, uint64_t seed);

// Hosts that measured each other several times: lines "A,B,T1,T2,…", numbers of hosts and milliseconds, below
// a line of names. InvalidArgument names file and line.
absl::StatusOr<std::unique_ptr<Terrain>> ReadHosts(const std::string& path);

}  // namespace perigee::sim
