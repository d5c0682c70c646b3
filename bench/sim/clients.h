// Those who ask: each at a place, behind a last mile, and more or less willing to answer probes.
#pragma once

#include <array>
#include <cstdint>
#include <random>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "bench/sim/geography.h"
#include "lib/base/address.h"

namespace perigee::sim {

using Random = std::mt19937_64;

// What last miles add to one round trip after another (last_mile.txt).
class LastMiles {
 public:
  // Lines "ACCESS MS MS MS", of which those of `accesses` count. InvalidArgument names file and line, or the
  // access that there is not.
  static absl::StatusOr<LastMiles> Read(const std::string& path, const std::vector<std::string>& accesses);

  using Excess = std::array<Rtt, 3>;  // of three probes in a row
  struct Access {
    std::string name;
    std::vector<Excess> excess;
  };
  const std::vector<Access>& accesses() const { return accesses_; }

 private:
  std::vector<Access> accesses_;
};

// What of a client, or on the way to it, answers. kEdge: its network's last router. kSomeHop: on each path
// some router, anywhere; beyond it all is dark.
enum class Answers : uint8_t { kIcmp, kTcp, kEdge, kSomeHop, kNothing };

struct Client {
  size_t place = 0;
  IpAddress address;
  size_t access = 0;
  Answers answers = Answers::kIcmp;
};

struct Population {
  size_t per_place = 20;
  // Of all clients: those that ignore pings, and of these the ones that answer nothing else either.
  double icmp_silent = 0.5, all_silent = 0.5;
  // Of the latter: those whose edge answers, and those before whom some hop does.
  double edge_answers = 0.6, some_hop_answers = 0.25;
  // Of all clients: those whose network numbers are another place's.
  double strays = 0.1;
};

// Each client is a /24 of its own; the clients of a place have one /16. In no order.
std::vector<Client> Populate(const Geography& geography, const std::vector<size_t>& places,
                             const LastMiles& last_miles, const Population& population, Random& random);

}  // namespace perigee::sim
