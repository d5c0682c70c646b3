// Yesterday's traffic for another policy: a director that asks when clients asked, and whose probers answer
// as they did, by a measurement log (services/dns/telemetry/measurement_log.h).
//
// What counts as the truth is the least RTT that the log has for a client and a replica. Connections are not
// in the log, so clients that answered no probe are not judged.
#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "bench/sim/report.h"
#include "services/dns/telemetry/measurement_log.h"

namespace perigee::sim {

struct Recording {
  std::vector<std::string> replicas;
  std::vector<dns::MeasurementRecord>
      measurements;  // by the time of their beginning, which is their `time` here
  std::vector<dns::DistancesRecord> distances;

  // Errors name file and line.
  static absl::StatusOr<Recording> Read(const std::string& path);
};

Report Replay(const Recording& recording, const dns::FlightOptions& flights);

}  // namespace perigee::sim
