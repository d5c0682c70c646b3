// What every simulation is set to, whatever its world.
#pragma once

#include <chrono>

#include "bench/sim/clients.h"
#include "services/dns/measurement/flight_board.h"

namespace perigee::sim {

struct CommonSetting {
  LastMiles last_miles;
  Population population;
  double loss = 0.01;
  // From one stranger's query to the next one's.
  std::chrono::milliseconds between_queries{20};
  // From a client's query to its next.
  std::chrono::seconds until_asked_again{90};
  // How often each client asks, at each moment of a world that changes; with each answer it connects, and the
  // replica's kernel takes the time.
  int rounds = 12;
  dns::FlightOptions flights;
};

}  // namespace perigee::sim
