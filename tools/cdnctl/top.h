// `cdnctl top`: the fleet at work, again and again.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "lib/base/clock.h"
#include "perigee/v1/director.grpc.pb.h"
#include "tools/cdnctl/replicas.h"
#include "tools/cdnctl/report.h"

namespace perigee::cdnctl {

struct TopOptions {
  std::chrono::milliseconds interval{2000};
  uint64_t count = 0;  // reports; 0: without end
  Format format = Format::kTable;
  bool clears_screen = false;  // before each, as on a terminal
};

// Prints reports on standard output, the first after one interval. Ends with the count, or when the director
// does not answer.
absl::Status Top(v1::Director::StubInterface& director, const std::vector<Replica>& replicas,
                 const TopOptions& options);

// All that was told at one moment.
struct Snapshot {
  WallTime at;
  v1::ListReplicasResponse fleet;
  std::vector<Outcome<v1::StatsResponse>> stats;
};

// Pure: what went on between the two, and how it is shown. A counter that went back, for its process began
// anew, counts from 0.
v1::TopReport RatesBetween(const Snapshot& before, const Snapshot& now);
std::string TopTable(const v1::TopReport& report);

}  // namespace perigee::cdnctl
