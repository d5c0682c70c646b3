#include "tools/cdnctl/commands.h"

#include <algorithm>

#include "fmt/format.h"
#include "gtest/gtest.h"

namespace perigee::cdnctl {
namespace {

TEST(StatusTable, LinesUpAndShowsWhatIsDown) {
  v1::StatusReport report;
  v1::ListReplicasResponse& response = *report.mutable_director();
  auto& dublin = *response.add_replicas();
  dublin.set_name("dublin");
  dublin.set_ipv4("198.18.4.10");
  dublin.set_healthy(true);
  dublin.set_prober_healthy(true);
  dublin.set_server_healthy(true);
  dublin.set_control_rtt_us(80'123);
  dublin.set_distances_known(1);
  auto& tokyo = *response.add_replicas();
  tokyo.set_name("tokyo");
  tokyo.set_ipv6("fd00::8");
  dublin.set_weight(100);
  dublin.set_requests_per_second(1200);
  dublin.set_overloaded(true);
  tokyo.set_weight(25);
  tokyo.set_operator_state(v1::OPERATOR_STATE_DRAIN);
  auto& told = *report.mutable_replicas()->add_replicas();
  told.set_replica("dublin");
  told.mutable_stats()->set_requests(200);
  told.mutable_stats()->set_hits(150);
  told.mutable_stats()->set_version("0.1.0");
  EXPECT_EQ(StatusTable(report),
            "REPLICA  IPV4         IPV6     HEALTH     PROBER  SERVER  OPERATOR  CONTROL ms  DISTANCES  "
            "WEIGHT  REQUESTS/s         HIT %  VERSION\n"
            "dublin   198.18.4.10  -        healthy    up      up      auto            80.1        1/1     "
            "100  1200 (overloaded)   75.0  0.1.0\n"
            "tokyo    -            fd00::8  unhealthy  down    down    drain              -        0/1      "
            "25  0                      -  -\n");
}

TEST(StateText, SaysWhatHoldsNowAndHowToEndIt) {
  v1::StateReport report;
  report.set_replica("dublin");
  report.set_state(v1::OPERATOR_STATE_DRAIN);
  EXPECT_EQ(
      StateText(report),
      "dublin: drain (was auto); clients go elsewhere with their next query; end it with `cdnctl undrain`\n");
  report.set_state(v1::OPERATOR_STATE_AUTO);
  report.set_previous(v1::OPERATOR_STATE_FORCE_UP);
  EXPECT_EQ(StateText(report), "dublin: auto (was force-up); health decides\n");
}

TEST(ReloadText, NamesWhatNeedsARestart) {
  v1::ReloadResponse response;
  response.set_zones(2);
  response.set_replicas(3);
  EXPECT_EQ(ReloadText(response), "reloaded: 2 zone(s), 3 replica(s)\n");
  response.add_needs_restart("dns.metrics_listen");
  EXPECT_EQ(ReloadText(response),
            "reloaded: 2 zone(s), 3 replica(s)\ndns.metrics_listen was changed: restart for it to hold\n");
}

TEST(ExplainTable, SortsByDistanceAndMarksTheWinner) {
  v1::ExplainResponse response;
  response.set_prefix("198.18.7.0/24");
  response.set_known(true);
  response.set_replica("b");
  response.set_reason(v1::REASON_MEASURED_BEST);
  response.set_age_seconds(5);
  response.set_ttl_seconds(60);
  response.set_scope_length(24);
  const auto add = [&](const char* name, v1::Method method, uint32_t us) {
    auto& row = *response.add_rtts();
    row.set_replica(name);
    row.set_method(method);
    row.set_rtt_us(us);
    row.set_healthy(true);
  };
  add("a", v1::METHOD_SILENT, 0);
  add("c", v1::METHOD_TCP_SYN, 120'000);
  add("b", v1::METHOD_ICMP_ECHO, 20'500);
  EXPECT_EQ(ExplainTable("198.18.7.7", response),
            "198.18.7.7 is in 198.18.7.0/24, measured 5 s ago, and gets b\n"
            "measured-best: the nearest of those measured\n"
            "for 60 s, and for all of its /24\n"
            "\n"
            "   REPLICA  RTT ms  METHOD     HEALTH\n"
            ">  b          20.5  icmp-echo  healthy\n"
            "   c         120.0  tcp-syn    healthy\n"
            "   a             -  silent     healthy\n");
}

TEST(ExplainTable, AFloorIsShownAsOne) {
  v1::ExplainResponse response;
  response.set_replica("a");
  response.set_reason(v1::REASON_LEAST_FLOOR);
  auto& row = *response.add_rtts();
  row.set_replica("a");
  row.set_method(v1::METHOD_LAST_HOP);
  row.set_rtt_us(20'500);
  const std::string table = ExplainTable("198.18.7.7", response);
  EXPECT_NE(table.find("\nleast-floor: "), std::string::npos) << table;
  EXPECT_NE(table.find(">=20.5  last-hop"), std::string::npos) << table;
}

TEST(ExplainTable, SaysWhatIsStaleAndWhoIsOverloaded) {
  v1::ExplainResponse response;
  response.set_prefix("198.18.7.0/24");
  response.set_known(true);
  response.set_replica("a");
  response.set_reason(v1::REASON_SHED);
  response.set_age_seconds(4000);
  response.set_stale(true);
  response.set_ttl_seconds(5);
  response.set_scope_length(24);
  for (const char* name : {"a", "b"}) {
    auto& row = *response.add_rtts();
    row.set_replica(name);
    row.set_method(v1::METHOD_ICMP_ECHO);
    row.set_rtt_us(name[0] == 'a' ? 30'000 : 20'000);
    row.set_healthy(true);
    row.set_overloaded(name[0] == 'b');
  }
  EXPECT_EQ(ExplainTable("198.18.7.7", response),
            "198.18.7.7 is in 198.18.7.0/24, measured 4000 s ago and due to be measured again, and gets a\n"
            "shed: the nearest bears no more or is not believed, so the next best\n"
            "for 5 s, and for all of its /24\n"
            "\n"
            "   REPLICA  RTT ms  METHOD     HEALTH\n"
            "   b          20.0  icmp-echo  healthy, overloaded\n"
            ">  a          30.0  icmp-echo  healthy\n");
}

TEST(ExplainTable, CountsThoseOfALargeFleetThatWereNeverHeardAndMarksWhomItExplores) {
  v1::ExplainResponse response;
  response.set_replica("r3");
  for (int i = 0; i < 100; ++i) {
    auto& row = *response.add_rtts();
    row.set_replica(fmt::format("r{}", i));
    row.set_healthy(true);
    if (i > 4) continue;
    row.set_method(v1::METHOD_PASSIVE);
    row.set_rtt_us(static_cast<uint32_t>(20'000 + 1000 * i));
    row.set_explorable(i == 4);
  }
  const std::string table = ExplainTable("198.18.7.7", response);
  EXPECT_EQ(
      std::count(table.begin(), table.end(), '\n'),
      std::count(table.begin(), table.begin() + static_cast<ptrdiff_t>(table.find("REPLICA")), '\n') + 7);
  EXPECT_NE(table.find("   r4         24.0  passive  healthy, explorable\n"), std::string::npos) << table;
  EXPECT_TRUE(table.ends_with("and 95 that nothing is known of\n")) << table;
}

TEST(ExplainTable, AnOverrideNeedsNoMeasurementAndAFailureHasNoReplica) {
  v1::ExplainResponse response;
  response.set_prefix("198.18.7.0/24");
  response.set_replica("a");
  response.set_reason(v1::REASON_OVERRIDE);
  response.set_ttl_seconds(60);
  response.set_scope_length(16);
  EXPECT_EQ(ExplainTable("198.18.7.7", response),
            "198.18.7.7 is in 198.18.7.0/24, and gets a\n"
            "override: set for this network in the fleet file\n"
            "for 60 s, and for all of its /16\n"
            "\n"
            "  REPLICA  RTT ms  METHOD  HEALTH\n");
  response.clear_replica();
  response.set_reason(v1::REASON_ALL_DOWN);
  EXPECT_NE(ExplainTable("198.18.7.7", response).find("gets SERVFAIL\nall-down"), std::string::npos);
}

TEST(MeasureTable, TheNearestComesFirstAndAFailureSaysWhy) {
  std::vector<Outcome<v1::MeasureResponse>> measurements(3);
  measurements[0] = {.replica = "a", .status = absl::PermissionDeniedError("10.0.0.0/8 is private")};
  measurements[1].replica = "b";
  measurements[1].response.set_method(v1::METHOD_SILENT);
  measurements[1].response.set_sent(4);
  measurements[1].response.set_lost(4);
  measurements[2].replica = "c";
  measurements[2].response.set_method(v1::METHOD_ICMP_ECHO);
  measurements[2].response.set_min_rtt_us(20'500);
  measurements[2].response.set_sent(3);
  EXPECT_EQ(MeasureTable(measurements),
            "REPLICA  RTT ms  METHOD     SENT  LOST  ERROR\n"
            "c          20.5  icmp-echo     3     0\n"
            "a             -  -             -     -  10.0.0.0/8 is private\n"
            "b             -  silent        4     4\n");
}

TEST(ExplainTable, AStrangerHasNoWinner) {
  v1::ExplainResponse response;
  response.set_prefix("198.18.7.0/24");
  EXPECT_EQ(ExplainTable("198.18.7.7", response),
            "198.18.7.7 is in 198.18.7.0/24, of which nothing is known: a query would start a measurement\n"
            "\n"
            "  REPLICA  RTT ms  METHOD  HEALTH\n");
}

}  // namespace
}  // namespace perigee::cdnctl
