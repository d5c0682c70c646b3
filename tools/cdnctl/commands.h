// The subcommands: one call each, and its answer as text.
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "perigee/v1/director.grpc.pb.h"

namespace perigee::cdnctl {

// Each returns the call's error as it came, with what to do about an unreachable director.
absl::StatusOr<std::string> Status(v1::Director::StubInterface& director);
absl::StatusOr<std::string> Explain(v1::Director::StubInterface& director, const std::string& client);

// Pure: how the answers are shown.
std::string StatusTable(const v1::ListReplicasResponse& response);
std::string ExplainTable(const std::string& client, const v1::ExplainResponse& response);

}  // namespace perigee::cdnctl
