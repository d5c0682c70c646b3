#include "tools/cdnctl/replicas.h"

#include "gtest/gtest.h"

namespace perigee::cdnctl {
namespace {

TEST(PurgeReport, EachReplicaHasItsLineAndOneFailureIsNotAll) {
  std::vector<Outcome<v1::PurgeResponse>> outcomes(3);
  outcomes[0].replica = "dublin";
  outcomes[0].response.set_objects(12);
  outcomes[1] = {.replica = "tokyo", .status = absl::UnavailableError("the disk is out")};
  outcomes[2] = {.replica = "rio", .status = absl::DeadlineExceededError("Deadline Exceeded")};
  const Report report = PurgeReport(outcomes, Format::kTable);
  EXPECT_EQ(report.text,
            "REPLICA  OBJECTS  RESULT\n"
            "dublin        12  ok\n"
            "tokyo          -  the disk is out\n"
            "rio            -  no answer in time (--timeout)\n");
  EXPECT_EQ(report.obeyed, Obeyed::kSome);
  const std::vector<Outcome<v1::PurgeResponse>> failures(outcomes.begin() + 1, outcomes.end());
  EXPECT_EQ(PurgeReport(failures, Format::kTable).obeyed, Obeyed::kNone);
  outcomes.resize(1);
  EXPECT_EQ(PurgeReport(outcomes, Format::kTable).obeyed, Obeyed::kAll);
}

TEST(CallsOf, KeepsToWhatOneCallMayNameAndCarry) {
  v1::WarmRequest request;
  request.set_concurrency(7);
  for (int i = 0; i < 2'001; ++i) request.add_urls("/" + std::to_string(i));
  std::vector<v1::WarmRequest> calls = CallsOf(request);
  ASSERT_EQ(calls.size(), 3u);
  EXPECT_EQ(calls[0].urls_size(), 1'000);
  EXPECT_EQ(calls[2].urls(0), "/2000");
  EXPECT_EQ(calls[2].concurrency(), 7u);
  request.clear_urls();
  for (int i = 0; i < 200; ++i) request.add_urls(std::string(8'192, 'x'));
  calls = CallsOf(request);
  EXPECT_EQ(calls.size(), 4u);
  for (const auto& call : calls) EXPECT_LT(call.ByteSizeLong(), 1'000'000u);
}

v1::WarmResult Warmed(const char* url, v1::WarmOutcome outcome, uint32_t status, const char* detail) {
  v1::WarmResult result;
  result.set_url(url);
  result.set_outcome(outcome);
  result.set_status(status);
  result.set_detail(detail);
  result.set_bytes(500'000);
  return result;
}

TEST(WarmReport, CountsOutcomesAndNamesWhatIsNotStored) {
  std::vector<Outcome<v1::WarmResults>> outcomes(1);
  outcomes[0].replica = "dublin";
  auto& results = *outcomes[0].response.mutable_results();
  *results.Add() = Warmed("/a", v1::WARM_OUTCOME_STORED, 200, "");
  *results.Add() = Warmed("/b", v1::WARM_OUTCOME_HIT, 200, "");
  *results.Add() = Warmed("/c", v1::WARM_OUTCOME_NOT_STORED, 200, "private");
  Report report = WarmReport(outcomes, 3, Format::kTable);
  EXPECT_EQ(report.text,
            "REPLICA  STORED  HIT  REVALIDATED  JOINED  NOT STORED  FAILED   MB  RESULT\n"
            "dublin        1    1            0       0           1       0  1.5  ok\n"
            "\n"
            "REPLICA  URL  OUTCOME     STATUS  DETAIL\n"
            "dublin   /c   not-stored     200  private\n");
  EXPECT_EQ(report.obeyed, Obeyed::kAll) << "what may not be stored is no failure";
  *results.Add() = Warmed("/d", v1::WARM_OUTCOME_FAILED, 0, "connect");
  EXPECT_EQ(WarmReport(outcomes, 4, Format::kTable).obeyed, Obeyed::kNone);
}

TEST(WarmReport, WhatEndsEarlySaysHowFarItCame) {
  std::vector<Outcome<v1::WarmResults>> outcomes(1);
  outcomes[0] = {.replica = "dublin", .status = absl::DeadlineExceededError("x")};
  *outcomes[0].response.add_results() = Warmed("/a", v1::WARM_OUTCOME_STORED, 200, "");
  const Report report = WarmReport(outcomes, 3, Format::kTable);
  EXPECT_NE(report.text.find("1 of 3 URLs, 0 failed: no answer in time (--timeout)"), std::string::npos)
      << report.text;
  EXPECT_EQ(report.obeyed, Obeyed::kNone);
}

TEST(WarmReport, ListsSoManyUrlsAndCountsTheRest) {
  std::vector<Outcome<v1::WarmResults>> outcomes(1);
  outcomes[0].replica = "dublin";
  for (int i = 0; i < 23; ++i)
    *outcomes[0].response.add_results() = Warmed("/x", v1::WARM_OUTCOME_FAILED, 502, "connect");
  const std::string text = WarmReport(outcomes, 23, Format::kTable).text;
  EXPECT_NE(text.find("and 3 more\n"), std::string::npos) << text;
}

TEST(StatsReport, ShowsALineForEachReplica) {
  std::vector<Outcome<v1::StatsResponse>> outcomes(2);
  outcomes[0].replica = "dublin";
  v1::StatsResponse& stats = outcomes[0].response;
  stats.set_uptime_seconds(61);
  stats.set_connections(2);
  stats.set_requests(200);
  stats.set_hits(150);
  stats.set_cache_objects(7);
  stats.set_cache_bytes(1'500'000);
  stats.set_cache_budget_bytes(10'000'000);
  outcomes[1] = {.replica = "tokyo", .status = absl::UnavailableError("refused")};
  EXPECT_EQ(StatsReport(outcomes, Format::kTable).text,
            "REPLICA  UP s  CLIENTS  REQUESTS  HIT %  COLLAPSED  STALE  ORIGIN ERRORS  OBJECTS   MB    OF  "
            "EVICTIONS  PURGED  DRAINED  RESULT\n"
            "dublin     61        2       200   75.0          0      0              0        7  1.5  10.0  "
            "        0       0       no  ok\n"
            "tokyo       -        -         -      -          -      -              -        -    -     -  "
            "        -       -        -  refused\n");
}

TEST(PurgeReport, AsJsonHasEveryReplicaAndEveryField) {
  std::vector<Outcome<v1::PurgeResponse>> outcomes(2);
  outcomes[0].replica = "dublin";
  outcomes[1] = {.replica = "tokyo", .status = absl::UnavailableError("refused")};
  const Report report = PurgeReport(outcomes, Format::kJson);
  EXPECT_EQ(report.text, R"({
 "replicas": [
  {
   "replica": "dublin",
   "error": "",
   "purge": {
    "objects": "0"
   }
  },
  {
   "replica": "tokyo",
   "error": "refused"
  }
 ]
}
)");
  EXPECT_EQ(report.obeyed, Obeyed::kSome);
}

TEST(WarmReport, AsJsonSaysWhatWasDoneBeforeAnError) {
  std::vector<Outcome<v1::WarmResults>> outcomes(1);
  outcomes[0] = {.replica = "dublin", .status = absl::DeadlineExceededError("x")};
  *outcomes[0].response.add_results() = Warmed("/a", v1::WARM_OUTCOME_STORED, 200, "");
  const std::string text = WarmReport(outcomes, 2, Format::kJson).text;
  EXPECT_NE(text.find("\"error\": \"no answer in time (--timeout)\""), std::string::npos) << text;
  EXPECT_NE(text.find("\"outcome\": \"WARM_OUTCOME_STORED\""), std::string::npos) << text;
}

TEST(DrainReport, SaysWhatHoldsNow) {
  std::vector<Outcome<v1::DrainResponse>> outcomes(1);
  outcomes[0].replica = "dublin";
  outcomes[0].response.set_connections(5);
  EXPECT_EQ(DrainReport(outcomes, false, Format::kTable).text,
            "REPLICA      NOW      WAS  CLIENTS  RESULT\n"
            "dublin   drained  serving        5  ok\n");
}

}  // namespace
}  // namespace perigee::cdnctl
