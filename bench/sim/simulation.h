// A director among simulated probers and clients: everybody asks, connects, and asks again.
#pragma once

#include <chrono>
#include <cstddef>
#include <optional>
#include <vector>

#include "bench/sim/clients.h"
#include "bench/sim/director.h"
#include "bench/sim/geography.h"
#include "bench/sim/probers.h"
#include "services/dns/director/steering_options.h"
#include "services/dns/measurement/flight_board.h"

namespace perigee::sim {

struct Setting {
  Geography geography;
  LastMiles last_miles;
  size_t director = 0;           // places
  std::vector<size_t> replicas;  // places
  Population population;
  double loss = 0.01;
  // Of `replicas`, the one whose prober says that it is near to everybody.
  std::optional<size_t> liar;
  // From one stranger's query to the next one's.
  std::chrono::milliseconds between_queries{20};
  // From a client's query to its next.
  std::chrono::seconds until_asked_again{90};
  // How often each client asks; with each answer it connects, and the replica's kernel takes the time.
  int rounds = 12;
  double exploration_share = 0;
  dns::FlightOptions flights;
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
