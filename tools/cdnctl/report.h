// What commands print, as a table for people or as JSON for programs (proto/perigee/v1/cdnctl.proto).
#pragma once

#include <google/protobuf/message.h>

#include <algorithm>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "perigee/v1/cdnctl.pb.h"

namespace perigee::cdnctl {

enum class Format { kTable, kJson };

// `all_well`: everybody who was asked did as told.
struct Report {
  std::string text;
  bool all_well = true;
};

// What became of one replica's call. `response` counts when `status` is OK; what Warm gave before it failed
// counts too.
template <typename Response>
struct Outcome {
  std::string replica;
  absl::Status status;
  Response response{};
};

// Indented, ending with a newline; as one line for those that print many.
std::string ToJson(const google::protobuf::Message& message);
std::string ToJsonLine(const google::protobuf::Message& message);

// Why a replica failed, in one line.
std::string ErrorText(const absl::Status& status);

template <typename Response>
bool AllWell(const std::vector<Outcome<Response>>& outcomes) {
  return std::all_of(outcomes.begin(), outcomes.end(), [](const auto& o) { return o.status.ok(); });
}

// `answer` is where the response goes, such as &v1::ReplicaOutcome::mutable_purge.
template <typename Response>
v1::ReplicasReport ToMessage(const std::vector<Outcome<Response>>& outcomes,
                             Response* (v1::ReplicaOutcome::*answer)()) {
  v1::ReplicasReport report;
  for (const auto& outcome : outcomes) {
    v1::ReplicaOutcome& row = *report.add_replicas();
    row.set_replica(outcome.replica);
    if (outcome.status.ok()) {
      *(row.*answer)() = outcome.response;
    } else {
      row.set_error(ErrorText(outcome.status));
    }
  }
  return report;
}

}  // namespace perigee::cdnctl
