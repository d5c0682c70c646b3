// Fleets for the tests of generations.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "fmt/format.h"
#include "gtest/gtest.h"
#include "lib/config/fleet.h"

namespace perigee::dns {

// Replicas of these names at loopback addresses, where nobody answers on the control ports; and `more`.
inline v1::FleetConfig FleetOf(const std::vector<std::string>& names, std::string_view more = "") {
  std::string text =
      "domain: 'cdn.example.org' origin: 'http://origin.example.org' steering { max_prefixes: 1000 }\n";
  for (size_t i = 0; i < names.size(); ++i) {
    text += fmt::format("replica {{ name: '{}' ipv4: '127.0.1.{}' prober_port: 1 control_port: 1 }}\n",
                        names[i], i + 1);
  }
  const auto fleet = ParseFleet(text + std::string(more), "cdn.textproto");
  EXPECT_TRUE(fleet.ok()) << fleet.status();
  return fleet.value_or(v1::FleetConfig());
}

}  // namespace perigee::dns
