#include "lib/config/fleet.h"

#include <filesystem>
#include <fstream>
#include <string>

#include "fmt/format.h"
#include "gtest/gtest.h"
#include "lib/config/fleet_parts.h"

namespace perigee {
namespace {

std::string ErrorOf(std::string_view text) {
  return std::string(ParseFleet(text, "cdn.textproto").status().message());
}

TEST(Fleet, FillsEveryDefault) {
  const auto fleet = ParseFleet(R"(
    domain: "cdn.example.org"
    origin: "http://origin.example.org"
    replica { name: "dublin" ipv4: "192.0.2.10" }
    replica { name: "tokyo" ipv6: "2001:db8::20" http_port: 8080 })",
                                "f");
  ASSERT_TRUE(fleet.ok()) << fleet.status();
  EXPECT_EQ(fleet->replica(0).http_port(), 80u);
  EXPECT_EQ(fleet->replica(0).prober_port(), 4301u);
  EXPECT_EQ(fleet->replica(1).http_port(), 8080u);
  EXPECT_EQ(fleet->steering().hold_ms(), 500u);
  EXPECT_EQ(fleet->cache().budget_bytes(), 10'000'000u);
  EXPECT_EQ(fleet->cache().memory_budget_bytes(), 0u) << "each replica knows its own memory";
  EXPECT_EQ(fleet->log().level(), "info");
}

TEST(Fleet, AnUnknownFieldIsNamedWithItsPlace) {
  EXPECT_EQ(ErrorOf("domain: \"a.b\"\nreplicas { }"),
            "cdn.textproto:2:10: Message type \"perigee.v1.FleetConfig\" has no field named \"replicas\".");
}

TEST(Fleet, ABadValueIsNamedWithItsPlace) {
  EXPECT_EQ(ErrorOf("replica {\n  name: \"a\"\n  ipv4: \"192.0.2.300\"\n}"),
            "cdn.textproto:3:3: ipv4: \"192.0.2.300\" is not an IPv4 address");
  EXPECT_EQ(ErrorOf("replica {\n  name: \"a\"\n  ipv4: \"2001:db8::1\"\n}"),
            "cdn.textproto:3:3: ipv4: \"2001:db8::1\" is not an IPv4 address");
  EXPECT_EQ(ErrorOf("probe_policy {\n  allow_special: \"198.18.0.0/15\"\n  allow_special: \"10.0.0.1/8\" }"),
            "cdn.textproto:3:3: allow_special: host bits are set in \"10.0.0.1/8\"; write 10.0.0.0/8");
  EXPECT_EQ(ErrorOf("replica { name: \"a\" ipv4: \"192.0.2.1\" http_port: 65536 }"),
            "cdn.textproto:1:39: http_port: 65536 is more than 65535");
  EXPECT_EQ(ErrorOf("cache { negative_ttl_seconds: 86401 }").substr(0, 41),
            "cdn.textproto:1:9: negative_ttl_seconds: ");
  EXPECT_EQ(ErrorOf("domain: \"a..b\""), "cdn.textproto:1:1: domain: not a domain name");
  EXPECT_EQ(ErrorOf("log {\n  level: \"info,dns=loud\" }"),
            "cdn.textproto:2:3: level: \"loud\" is no level: there are debug, info, warning, error, off");
}

TEST(Fleet, AMissingFieldIsReportedAtItsMessage) {
  EXPECT_EQ(ErrorOf("\nreplica { ipv4: \"192.0.2.1\" }"), "cdn.textproto:2:1: name: every replica needs one");
  EXPECT_EQ(ErrorOf("replica { name: \"a\" }"),
            "cdn.textproto:1:1: ipv4: replica \"a\" has neither an ipv4 nor an ipv6 address");
}

TEST(Fleet, NamesAndAddressesAreUnique) {
  EXPECT_EQ(
      ErrorOf("replica { name: \"a\" ipv4: \"192.0.2.1\" }\nreplica { name: \"a\" ipv4: \"192.0.2.2\" }"),
      "cdn.textproto:2:11: name: two replicas are called \"a\"");
  EXPECT_EQ(
      ErrorOf("replica { name: \"a\" ipv4: \"192.0.2.1\" }\nreplica { name: \"b\" ipv4: \"192.0.2.1\" }"),
      "cdn.textproto:2:21: ipv4: 192.0.2.1 is given to two replicas");
}

TEST(Fleet, AThousandAndTwentyFourReplicasAreTheLimit) {
  std::string text;
  for (int i = 0; i < 1024; ++i) {
    text += fmt::format("replica {{ name: \"r{}\" ipv4: \"192.0.{}.{}\" }}\n", i, i / 256, i % 256);
  }
  EXPECT_TRUE(ParseFleet(text, "f").ok());
  EXPECT_EQ(ErrorOf(text + "replica { name: \"x\" ipv4: \"192.0.9.99\" }"),
            "cdn.textproto:1025:1: replica: more than 1024 replicas");
}

TEST(Fleet, AClientIsAskedByFourToSixtyFour) {
  EXPECT_EQ(DefaultFleet().steering().max_asked(), 32u);
  EXPECT_EQ(ErrorOf("steering { max_asked: 3 }"), "cdn.textproto:1:12: max_asked: 3 is less than 4");
  EXPECT_EQ(ErrorOf("steering { max_asked: 65 }"), "cdn.textproto:1:12: max_asked: 65 is more than 64");
  EXPECT_TRUE(ParseFleet("steering { max_asked: 4 }", "f").ok());
}

TEST(Fleet, ATenthOfTheAnswersMayExplore) {
  EXPECT_EQ(DefaultFleet().steering().exploration_share(), 0);
  EXPECT_TRUE(ParseFleet("steering { exploration_share: 0.1 }", "f").ok());
  for (const char* text : {"0.2", "-0.1", "nan"}) {
    EXPECT_EQ(ErrorOf(fmt::format("steering {{ exploration_share: {} }}", text)),
              "cdn.textproto:1:12: exploration_share: not between 0 and 0.1");
  }
}

TEST(Fleet, HardAgeIsNoLessThanSoftAge) {
  EXPECT_EQ(ErrorOf("steering { soft_age_seconds: 100 hard_age_seconds: 10 }"),
            "cdn.textproto:1:34: hard_age_seconds: 10 is less than soft_age_seconds, 100");
}

TEST(Fleet, TlsFilesComeTogether) {
  EXPECT_EQ(
      ErrorOf("control { ca_file: \"ca.pem\" }"),
      "cdn.textproto:1:11: ca_file: ca_file, certificate_file and key_file come together or not at all");
}

TEST(FleetParts, ThePolicyTakesEverySectionOfTheFleetFile) {
  const auto fleet =
      ParseFleet(R"(probe_policy { allow_special: "198.18.0.0/15" opt_out: "198.18.9.0/24" })", "f");
  ASSERT_TRUE(fleet.ok()) << fleet.status();
  const AddressPolicy policy = PolicyFrom(fleet->probe_policy(), {*IpAddress::Parse("198.18.0.1")});
  EXPECT_TRUE(policy.Check(*IpAddress::Parse("198.18.7.7")).ok());
  EXPECT_FALSE(policy.Check(*IpAddress::Parse("198.18.9.7")).ok());
  EXPECT_FALSE(policy.Check(*IpAddress::Parse("198.18.0.1")).ok());
}

TEST(FleetParts, AReplicaIsControlledAtItsIpv4AddressIfItHasOne) {
  v1::ReplicaConfig replica;
  replica.set_ipv6("2001:db8::20");
  replica.set_prober_port(4301);
  EXPECT_EQ(ProberEndpoint(replica).ToString(), "[2001:db8::20]:4301");
  replica.set_ipv4("192.0.2.20");
  EXPECT_EQ(ProberEndpoint(replica).ToString(), "192.0.2.20:4301");
}

TEST(Fleet, TheExampleInTheTreeIsGood) {
  const auto fleet = LoadFleetFile("cdn.example.textproto");
  ASSERT_TRUE(fleet.ok()) << fleet.status();
  EXPECT_EQ(fleet->replica_size(), 3);
}

TEST(Fleet, AMissingFileSaysWhatToDo) {
  EXPECT_EQ(LoadFleetFile("/nonexistent/cdn.textproto").status().message(),
            "no fleet file \"/nonexistent/cdn.textproto\"; give one with --config");
}

TEST(Fleet, AFileOverOneMiBIsRefused) {
  const std::string path = testing::TempDir() + "perigee_fleet_limit.textproto";
  const std::string fleet = "domain: \"cdn.example.org\"\n#";
  const auto load_padded_to = [&](size_t bytes) {
    std::ofstream(path) << fleet << std::string(bytes - fleet.size(), ' ');
    return LoadFleetFile(path).status();
  };
  EXPECT_TRUE(load_padded_to(1 << 20).ok());
  EXPECT_EQ(load_padded_to((1 << 20) + 1).message(),
            "the fleet file \"" + path + "\" is larger than 1048576 bytes");
  std::filesystem::remove(path);
}

TEST(Fleet, AnEndlessFileIsReadNoFurtherThanTheLimit) {
  EXPECT_EQ(LoadFleetFile("/dev/zero").status().message(),
            "the fleet file \"/dev/zero\" is larger than 1048576 bytes");
}

TEST(Fleet, AFolderIsNotAFleetFile) {
  EXPECT_EQ(LoadFleetFile("/").status(),
            absl::InvalidArgumentError("the fleet file \"/\" is a directory: name a file"));
}

}  // namespace
}  // namespace perigee
