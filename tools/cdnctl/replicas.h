// The subcommands that every replica of the fleet is asked at once: in parallel, with one deadline for all,
// and a row of the table for each replica, whatever became of it.
#pragma once

#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "perigee/v1/replica.grpc.pb.h"
#include "tools/cdnctl/report.h"

namespace perigee::cdnctl {

struct Replica {
  std::string name;
  std::unique_ptr<v1::Replica::Stub> stub;
};

// `timeout` bounds the whole.
struct Ask {
  std::chrono::seconds timeout;
  Format format = Format::kTable;
};
// At least one replica.
Report Purge(const std::vector<Replica>& replicas, const v1::PurgeRequest& request, const Ask& ask);
Report Warm(const std::vector<Replica>& replicas, const v1::WarmRequest& request, const Ask& ask);
Report Stats(const std::vector<Replica>& replicas, const Ask& ask);
Report DrainDirectly(const std::vector<Replica>& replicas, bool resume, const Ask& ask);

std::vector<Outcome<v1::StatsResponse>> AskStats(const std::vector<Replica>& replicas,
                                                 std::chrono::seconds timeout);

// Pure: what Replica.Warm takes in one call each, of a request with any number of URLs (replica.proto).
std::vector<v1::WarmRequest> CallsOf(const v1::WarmRequest& request);

// Pure: how the answers are shown.
Report PurgeReport(const std::vector<Outcome<v1::PurgeResponse>>& outcomes, Format format);
Report WarmReport(const std::vector<Outcome<v1::WarmResults>>& outcomes, size_t urls, Format format);
Report StatsReport(const std::vector<Outcome<v1::StatsResponse>>& outcomes, Format format);
Report DrainReport(const std::vector<Outcome<v1::DrainResponse>>& outcomes, bool resume, Format format);

}  // namespace perigee::cdnctl
