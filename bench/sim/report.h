// What bench/sim/run.py is told: of each client where it is and what it was given.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "bench/sim/director.h"

namespace perigee::sim {

struct ClientReport {
  std::string name;
  std::string answers;                            // "icmp", "tcp" or "nothing"
  std::vector<Rtt> truth;                         // by replica; zero where nobody knows
  std::vector<std::optional<double>> kilometres;  // the same
  std::vector<dns::Sample> samples;               // the first, by replica; may be short or empty
  Rtt first_answer{}, last_answer{};              // when the first samples came, counted from the query
  std::optional<Answer> first, again;             // nothing when the query was dropped
};

struct Report {
  uint64_t packets = 0;
  size_t map_rows = 0;
  std::vector<ClientReport> clients;
};

// A line of JSON of all, then one for each client.
void Print(const Report& report);

}  // namespace perigee::sim
