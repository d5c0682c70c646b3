#include "tools/cdnctl/top.h"

#include "gtest/gtest.h"

namespace perigee::cdnctl {
namespace {

using std::chrono::seconds;

Snapshot At(int second, uint64_t queries, uint64_t requests, uint64_t hits) {
  Snapshot snapshot;
  snapshot.at = WallTime(seconds(1'900'000'000 + second));
  snapshot.fleet.set_queries(queries);
  for (const char* name : {"dublin", "tokyo"}) {
    auto& state = *snapshot.fleet.add_replicas();
    state.set_name(name);
    state.set_healthy(true);
    state.set_control_rtt_us(80'123);
  }
  snapshot.stats.resize(2);
  snapshot.stats[0].replica = "dublin";
  snapshot.stats[0].response.set_requests(requests);
  snapshot.stats[0].response.set_hits(hits);
  snapshot.stats[0].response.set_connections(7);
  snapshot.stats[1] = {.replica = "tokyo", .status = absl::UnavailableError("refused")};
  return snapshot;
}

TEST(Top, ShowsWhatWentOnBetweenTwoLooks) {
  EXPECT_EQ(TopTable(RatesBetween(At(0, 100, 1000, 500), At(2, 130, 1200, 650))),
            "2030-03-17T17:46:42Z  15.0 queries/s\n"
            "REPLICA  HEALTH   OPERATOR  CONTROL ms  REQUESTS/s  HIT %  CLIENTS\n"
            "dublin   healthy  auto            80.1       100.0   75.0        7\n"
            "tokyo    healthy  auto            80.1           -      -        -\n");
}

TEST(Top, WithoutRequestsThereIsNoRatio) {
  const v1::TopReport report = RatesBetween(At(0, 1, 10, 5), At(2, 1, 10, 5));
  EXPECT_EQ(report.replicas(0).hit_ratio(), 0);
  EXPECT_NE(TopTable(report).find(" 0.0      -        7\n"), std::string::npos) << TopTable(report);
}

TEST(Top, AReplicaThatBeganAnewCountsFromZero) {
  const v1::TopReport report = RatesBetween(At(0, 1000, 1000, 900), At(2, 10, 20, 5));
  EXPECT_DOUBLE_EQ(report.queries_per_second(), 5);
  EXPECT_DOUBLE_EQ(report.replicas(0).requests_per_second(), 10);
  EXPECT_DOUBLE_EQ(report.replicas(0).hit_ratio(), 0.25);
}

TEST(Top, LooksAtTheSameMomentAreNoDivisionByZero) {
  EXPECT_EQ(RatesBetween(At(0, 1, 1, 1), At(0, 5, 5, 5)).replicas(0).requests_per_second(), 0);
}

}  // namespace
}  // namespace perigee::cdnctl
