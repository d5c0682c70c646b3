// The subcommands that ask the director, and `measure`, which asks the probers.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "perigee/v1/director.grpc.pb.h"
#include "perigee/v1/prober.grpc.pb.h"
#include "tools/cdnctl/replicas.h"
#include "tools/cdnctl/report.h"

namespace perigee::cdnctl {

// Each returns the call's error as it came, with what to do about an unreachable director.

// `replicas` are asked for what the director does not know; a silent one has dashes there.
absl::StatusOr<Report> Status(v1::Director::StubInterface& director, const std::vector<Replica>& replicas,
                              Format format);
absl::StatusOr<Report> Explain(v1::Director::StubInterface& director, const std::string& client,
                               Format format);

// Takes a replica out of service, gives it back to health, or forces it in. Reports what was said, and what
// it replaced.
absl::StatusOr<Report> SetState(v1::Director::StubInterface& director, const std::string& replica,
                                v1::OperatorState state, Format format);
absl::StatusOr<Report> Reload(v1::Director::StubInterface& director, Format format);

absl::StatusOr<v1::ListReplicasResponse> ListReplicas(v1::Director::StubInterface& director);

// Asks every prober at once and waits for all; a failed call is a row of the table.
struct Prober {
  std::string replica;
  std::unique_ptr<v1::Prober::Stub> stub;
};
Report Measure(const std::vector<Prober>& probers, const std::string& client, Format format);

// Pure: how the answers are shown.
std::string_view Word(v1::OperatorState state);
std::string StatusTable(const v1::StatusReport& report);
std::string ExplainTable(const std::string& client, const v1::ExplainResponse& response);
std::string StateText(const v1::StateReport& report);
std::string ReloadText(const v1::ReloadResponse& response);
std::string MeasureTable(std::vector<Outcome<v1::MeasureResponse>> measurements);

}  // namespace perigee::cdnctl
