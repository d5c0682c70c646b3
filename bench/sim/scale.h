// A director among more replicas and clients than can be told one by one: the figures of all of them.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

#include "bench/sim/setting.h"
#include "bench/sim/terrain.h"

namespace perigee::sim {

// Of the population its shares count, and no hop answers before the silent.
struct ScaleSetting : CommonSetting {
  const Terrain* terrain = nullptr;
  size_t replicas = 1000;
  size_t clients = 1'000'000;
  // The fleet file says where replicas are, if the terrain knows.
  bool located = true;
  uint64_t seed = 1;
};

// What answers cost more than the nearest replica would have, in milliseconds.
struct Regrets {
  std::vector<float> ms;
  size_t within = 0;  // 5 ms, or a tenth of the least

  void Add(Rtt had, Rtt best);
};

struct ScaleFigures {
  // By whether the client answers any probe.
  struct Group {
    Regrets stranger;    // first answers
    Regrets remembered;  // answers from what was known before the terrain changed
    Regrets known;       // last answers of each moment
    Regrets geography;   // the nearest along the great circle, where places are known
    Regrets random;
    std::vector<float> answer_ms;  // first ones
  };
  Group answering, silent;
  uint64_t clients = 0, calls = 0, packets = 0, map_rows = 0;
  uint64_t peak_memory_bytes = 0;  // of the process
  std::chrono::milliseconds took{};
};

ScaleFigures SimulateAtScale(const ScaleSetting& setting);

// One line of JSON.
std::string ToJson(ScaleFigures figures);

}  // namespace perigee::sim
