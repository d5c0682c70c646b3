// The subcommands: one call each, and its answer as text.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "perigee/v1/director.grpc.pb.h"
#include "perigee/v1/prober.grpc.pb.h"

namespace perigee::cdnctl {

// Each returns the call's error as it came, with what to do about an unreachable director.
absl::StatusOr<std::string> Status(v1::Director::StubInterface& director);
absl::StatusOr<std::string> Explain(v1::Director::StubInterface& director, const std::string& client);

// Takes a replica out of service, gives it back to health, or forces it in. Returns what was said, and what
// it replaced.
absl::StatusOr<std::string> SetState(v1::Director::StubInterface& director, const std::string& replica,
                                     v1::OperatorState state);
absl::StatusOr<std::string> Reload(v1::Director::StubInterface& director);

// Asks every prober at once and waits for all; a failed call is a row of the table.
struct Prober {
  std::string replica;
  std::unique_ptr<v1::Prober::Stub> stub;
};
std::string Measure(const std::vector<Prober>& probers, const std::string& client);

// Pure: how the answers are shown.
std::string StatusTable(const v1::ListReplicasResponse& response);
std::string ExplainTable(const std::string& client, const v1::ExplainResponse& response);

std::string StateText(const std::string& replica, v1::OperatorState state, v1::OperatorState previous);
std::string ReloadText(const v1::ReloadResponse& response);

struct Measurement {
  std::string replica;
  absl::Status status;
  v1::MeasureResponse response;  // when `status` is OK
};
std::string MeasureTable(std::vector<Measurement> measurements);

}  // namespace perigee::cdnctl
