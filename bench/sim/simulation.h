// A director among simulated probers and clients: everybody asks, connects, and asks again.
#pragma once

#include <cstddef>
#include <optional>
#include <vector>

#include "bench/sim/clients.h"
#include "bench/sim/director.h"
#include "bench/sim/geography.h"
#include "bench/sim/probers.h"
#include "bench/sim/setting.h"

namespace perigee::sim {

struct Setting : CommonSetting {
  Geography geography;
  size_t director = 0;           // places
  std::vector<size_t> replicas;  // places
  // Of `replicas`, the one whose prober says that it is near to everybody.
  std::optional<size_t> liar;
  double exploration_share = 0;
};

struct ClientStory {
  Client client;
  std::optional<Answer> first, again;  // nothing when the query was dropped
  SimulatedProbers::Watched measured;
};

struct Story {
  std::vector<ClientStory> clients;
  uint64_t packets = 0;
  size_t map_rows = 0;
};

Story Simulate(const Setting& setting, Random& random);

}  // namespace perigee::sim
