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

// Who of those that were asked did as told; the exit status says it.
enum class Obeyed { kAll = 0, kNone = 1, kSome = 3 };

struct Report {
  std::string text;
  Obeyed obeyed = Obeyed::kAll;
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

template <typename Response, typename DidAll>
Obeyed WhoObeyed(const std::vector<Outcome<Response>>& outcomes, DidAll did_all) {
  const auto count = static_cast<size_t>(std::count_if(outcomes.begin(), outcomes.end(), did_all));
  if (count == outcomes.size()) return Obeyed::kAll;
  return count == 0 ? Obeyed::kNone : Obeyed::kSome;
}

template <typename Response>
Obeyed WhoObeyed(const std::vector<Outcome<Response>>& outcomes) {
  return WhoObeyed(outcomes, [](const auto& o) { return o.status.ok(); });
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
