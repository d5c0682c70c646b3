#include <string>

#include "gmock/gmock.h"
#include "lib/base/address.h"
#include "lib/config/fleet.h"

namespace perigee {
namespace {

constexpr char kDublin[] = "replica { name: \"dublin\" ipv4: \"192.0.2.10\" }\n";

std::string ErrorOf(const std::string& text) { return std::string(ParseFleet(text, "f").status().message()); }

TEST(FleetDns, FillsEveryDefault) {
  const auto fleet = ParseFleet(kDublin, "f");
  ASSERT_TRUE(fleet.ok()) << fleet.status();
  EXPECT_EQ(fleet->replica(0).weight(), 100u);
  EXPECT_EQ(fleet->replica(0).max_requests_per_second(), 0u);
  EXPECT_EQ(fleet->steering().addresses_per_answer(), 1u);
  EXPECT_EQ(fleet->steering().reports_to_fall(), 3u);
  EXPECT_EQ(fleet->steering().reports_to_rise(), 2u);
  const auto& limit = fleet->dns().rate_limit();
  EXPECT_EQ(limit.responses_per_second(), 200u);
  EXPECT_EQ(limit.slip(), 2u);
  ASSERT_EQ(limit.exempt_size(), 2);
  EXPECT_EQ(limit.exempt(0), "127.0.0.0/8");
  EXPECT_EQ(limit.exempt(1), "::1/128");
  ASSERT_EQ(fleet->dns().client_subnet().trust_size(), 2);
  EXPECT_EQ(fleet->dns().client_subnet().trust(0), "0.0.0.0/0");
  EXPECT_EQ(fleet->dns().client_subnet().trust(1), "::/0");
  EXPECT_EQ(fleet->dns().client_subnet().probe_for_size(), 0);
  EXPECT_EQ(fleet->probe_policy().max_unproven_probes_per_second(), 500u);
}

TEST(FleetDns, WhatIsWrittenStands) {
  const auto fleet = ParseFleet(std::string(kDublin) + R"(
    zone { name: "example.org." file: "example.org.zone" steered: "www" steered: "@" steered: "*" }
    zone { name: "10.in-addr.arpa" }
    dns {
      rate_limit { responses_per_second: 5 slip: 1 exempt: "192.0.2.0/24" }
      client_subnet { trust: "198.51.100.7" probe_for: "198.51.100.0/24" }
      metrics_listen: "[::1]:9353"
    }
    steering {
      addresses_per_answer: 8
      reports_to_fall: 100
      override { prefix: "192.0.2.0/24" replica: "dublin" }
      reason_ttl { reason: "all-down" ttl_seconds: 0 }
    })",
                                "f");
  ASSERT_TRUE(fleet.ok()) << fleet.status();
  EXPECT_EQ(fleet->dns().rate_limit().exempt_size(), 1);
  EXPECT_EQ(fleet->dns().client_subnet().trust_size(), 1);
  EXPECT_EQ(fleet->dns().client_subnet().probe_for_size(), 1);
  EXPECT_EQ(fleet->steering().reason_ttl(0).ttl_seconds(), 0u);
}

TEST(FleetDns, ZonesHaveUniqueDomainNames) {
  EXPECT_EQ(ErrorOf("zone { file: \"x\" }"), "f:1:1: name: every zone needs one");
  EXPECT_EQ(ErrorOf("zone { name: \"a..b\" }"), "f:1:8: name: not a domain name: \"a..b\": a label is empty");
  EXPECT_EQ(ErrorOf("zone { name: \"example.org\" }\nzone { name: \"EXAMPLE.org.\" }"),
            "f:2:8: name: two zones are called \"EXAMPLE.org.\"");
  EXPECT_EQ(ErrorOf("zone { name: \"a\" steered: \"www\" steered: \".x\" }"),
            "f:1:33: steered: not a domain name: \".x\": a label is empty");
}

TEST(FleetDns, LimitsAreTheLimits) {
  EXPECT_EQ(ErrorOf("replica { name: \"a\" ipv4: \"192.0.2.1\" weight: 10001 }"),
            "f:1:39: weight: 10001 is more than 10000");
  EXPECT_EQ(ErrorOf("replica { name: \"a\" ipv4: \"192.0.2.1\" weight: 10000 }"), "");
  EXPECT_EQ(ErrorOf("steering { addresses_per_answer: 9 }"),
            "f:1:12: addresses_per_answer: 9 is more than 8");
  EXPECT_EQ(ErrorOf("steering { reports_to_fall: 101 }"), "f:1:12: reports_to_fall: 101 is more than 100");
  EXPECT_EQ(ErrorOf("steering { reports_to_rise: 101 }"), "f:1:12: reports_to_rise: 101 is more than 100");
  EXPECT_EQ(ErrorOf("dns { rate_limit { responses_per_second: 10000001 } }"),
            "f:1:20: responses_per_second: 10000001 is more than 10000000");
  EXPECT_EQ(ErrorOf("dns { rate_limit {\n slip: 101 } }"), "f:2:2: slip: 101 is more than 100");
  EXPECT_EQ(ErrorOf("dns { version: \"" + std::string(255, 'x') + "\" }"), "");
  EXPECT_EQ(ErrorOf("dns { identity: \"" + std::string(256, 'x') + "\" }"),
            "f:1:7: identity: longer than 255 octets");
}

TEST(FleetDns, PrefixesAndEndpointsParse) {
  EXPECT_EQ(ErrorOf("dns { rate_limit { exempt: \"10.0.0.0/8\" exempt: \"10.0.0.1/8\" } }"),
            "f:1:41: exempt: host bits are set in \"10.0.0.1/8\"; write 10.0.0.0/8");
  EXPECT_EQ(ErrorOf("dns { client_subnet { trust: \"10.0.0.1/8\" } }"),
            "f:1:23: trust: host bits are set in \"10.0.0.1/8\"; write 10.0.0.0/8");
  EXPECT_EQ(ErrorOf("dns { client_subnet { probe_for: \"10.0.0.1/8\" } }"),
            "f:1:23: probe_for: host bits are set in \"10.0.0.1/8\"; write 10.0.0.0/8");
  const std::string metrics = ErrorOf("dns { metrics_listen: \"localhost\" }");
  EXPECT_EQ(metrics,
            "f:1:7: metrics_listen: " + std::string(IpEndpoint::Parse("localhost").status().message()));
}

TEST(FleetHttp, WhatIsWrittenStandsAndNothingIsRequired) {
  const auto fleet = ParseFleet(std::string(kDublin) + R"(http {
    metrics_listen: "127.0.0.1:9354" access_log: "access.log" access_log_format: "json" served_name: "a"
  })",
                                "f");
  ASSERT_TRUE(fleet.ok()) << fleet.status();
  EXPECT_EQ(fleet->http().access_log_format(), "json");
  EXPECT_EQ(fleet->http().served_name(0), "a");
  EXPECT_TRUE(ParseFleet(kDublin, "f")->http().access_log().empty());
}

TEST(FleetHttp, EndpointAndFormatParse) {
  EXPECT_EQ(ErrorOf("http { metrics_listen: \"localhost\" }"),
            "f:1:8: metrics_listen: " + std::string(IpEndpoint::Parse("localhost").status().message()));
  EXPECT_EQ(ErrorOf("http { access_log_format: \"xml\" }"),
            "f:1:8: access_log_format: \"xml\" is none of combined, json");
}

TEST(FleetProber, EndpointParses) {
  EXPECT_EQ(ErrorOf("prober { metrics_listen: \"localhost\" }"),
            "f:1:10: metrics_listen: " + std::string(IpEndpoint::Parse("localhost").status().message()));
}

TEST(FleetDns, AnOverrideNamesAPrefixOnceAndAReplicaOfTheFile) {
  const std::string fleet = std::string(kDublin) + "steering {\n";
  EXPECT_EQ(ErrorOf(fleet + "override { replica: \"dublin\" } }"), "f:3:1: prefix: every override needs one");
  EXPECT_EQ(ErrorOf(fleet + "override { prefix: \"10.0.0.1/8\" replica: \"dublin\" } }"),
            "f:3:12: prefix: host bits are set in \"10.0.0.1/8\"; write 10.0.0.0/8");
  EXPECT_EQ(ErrorOf(fleet + "override { prefix: \"10.0.0.0/8\" replica: \"lima\" } }"),
            "f:3:33: replica: no replica is called \"lima\"");
  EXPECT_EQ(ErrorOf(fleet + "override { prefix: \"10.0.0.0/8\" replica: \"dublin\" }\n"
                            "override { prefix: \"10.0.0.0/8\" replica: \"dublin\" } }"),
            "f:4:12: prefix: 10.0.0.0/8 has two overrides");
}

TEST(FleetDns, AReasonHasOneTtlAndZeroMustBeWritten) {
  EXPECT_EQ(ErrorOf("steering { reason_ttl { reason: \"best\" ttl_seconds: 1 } }"),
            "f:1:25: reason: \"best\" is none of measured-best, hold-expired, neighbour, hashed, all-down, "
            "hysteresis, band, shed, override, exploration, geography, least-floor, clientele");
  EXPECT_EQ(ErrorOf("steering { reason_ttl { reason: \"band\" } }"),
            "f:1:12: ttl_seconds: required; 0 means not to be cached");
  EXPECT_EQ(ErrorOf("steering { reason_ttl { reason: \"band\" ttl_seconds: 604801 } }"),
            "f:1:40: ttl_seconds: 604801 is more than 604800");
  EXPECT_EQ(ErrorOf("steering {\nreason_ttl { reason: \"band\" ttl_seconds: 0 }\n"
                    "reason_ttl { reason: \"band\" ttl_seconds: 0 } }"),
            "f:3:14: reason: band has two TTLs");
}

TEST(FleetDns, ABeaconLeavesRoomForTheLongestToken) {
  EXPECT_TRUE(ParseFleet("steering { beacon: \"beacon.cdn.example.org\" }", "f").ok());
  const std::string label(63, 'a');
  EXPECT_THAT(ErrorOf("steering { beacon: \"" + label + "." + label + "." + label + "\" }"),
              ::testing::StartsWith("f:1:12: beacon: "));
  EXPECT_THAT(ErrorOf("steering { beacon: \"a..b\" }"), ::testing::StartsWith("f:1:12: beacon: "));
}

}  // namespace
}  // namespace perigee
