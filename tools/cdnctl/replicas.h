// The subcommands that every replica of the fleet is asked at once: one call each, in parallel, with one
// deadline for all, and a row of the table for each replica, whatever became of it.
#pragma once

#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "perigee/v1/replica.grpc.pb.h"

namespace perigee::cdnctl {

struct Replica {
  std::string name;
  std::unique_ptr<v1::Replica::Stub> stub;
};

// `all_well`: every replica did what it was asked.
struct Report {
  std::string text;
  bool all_well = false;
};

// `timeout` bounds the whole. At least one replica.
Report Purge(const std::vector<Replica>& replicas, const v1::PurgeRequest& request,
             std::chrono::seconds timeout);
Report Warm(const std::vector<Replica>& replicas, const v1::WarmRequest& request,
            std::chrono::seconds timeout);
Report Stats(const std::vector<Replica>& replicas, std::chrono::seconds timeout);
Report DrainDirectly(const std::vector<Replica>& replicas, bool resume, std::chrono::seconds timeout);

// Pure: how the answers are shown. `response` counts when `status` is OK; what Warm gave before it failed
// counts too.
template <typename Response>
struct Outcome {
  std::string replica;
  absl::Status status;
  Response response{};
};
Report PurgeReport(const std::vector<Outcome<v1::PurgeResponse>>& outcomes);
Report WarmReport(const std::vector<Outcome<std::vector<v1::WarmResult>>>& outcomes, size_t urls);
Report StatsReport(const std::vector<Outcome<v1::StatsResponse>>& outcomes);
Report DrainReport(const std::vector<Outcome<v1::DrainResponse>>& outcomes, bool resume);

}  // namespace perigee::cdnctl
