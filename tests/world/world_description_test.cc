#include "tests/world/world_description.h"

#include <random>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_set.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace perigee::world {
namespace {

using std::chrono::microseconds;
using testing::HasSubstr;

constexpr std::string_view kSmall = R"(# three hosts
host tokyo    replica  tokyo  198.18.8.10 fd00::8
host origin   origin   tokyo  198.18.0.80
host lagos    client   lagos  198.18.100.10 block_icmp loss=0.5% jitter=2ms rate=10mbit  # slow

city tokyo 1.0
city lagos 231.4 0.8
)";

TEST(ParseWorld, ReadsHostsWithRolesAddressesAndKnobs) {
  const auto world = ParseWorld(kSmall, "small.world");
  ASSERT_TRUE(world.ok()) << world.status();
  ASSERT_EQ(world->hosts().size(), 3u);
  const Host& tokyo = world->hosts()[0];
  EXPECT_EQ(tokyo.role, Role::kReplica);
  EXPECT_EQ(tokyo.ipv4.ToString(), "198.18.8.10");
  ASSERT_TRUE(tokyo.ipv6);
  EXPECT_EQ(tokyo.ipv6->ToString(), "fd00::8");
  const HostKnobs& lagos = world->hosts()[2].knobs;
  EXPECT_TRUE(lagos.block_icmp);
  EXPECT_DOUBLE_EQ(lagos.loss, 0.005);
  EXPECT_EQ(lagos.jitter, microseconds(2000));
  EXPECT_EQ(lagos.rate_bps, 10'000'000u);
}

TEST(ParseWorld, ReadsTheRoutersBeforeAHost) {
  const auto world = ParseWorld(
      "host a client x 198.18.1.1 block_probes routers=8 last_hop=2.5ms silent_routers\ncity x 1\n", "w");
  ASSERT_TRUE(world.ok()) << world.status();
  const HostKnobs& knobs = world->hosts()[0].knobs;
  EXPECT_TRUE(knobs.block_probes);
  EXPECT_EQ(knobs.routers, 8);
  EXPECT_EQ(knobs.last_hop, microseconds(2500));
  EXPECT_TRUE(knobs.silent_routers);
}

TEST(RouterAddress, IsEachRoutersOwn) {
  absl::flat_hash_set<IpAddress> addresses;
  for (size_t host = 0; host < kMaxHosts; ++host) {
    for (uint8_t hop = 1; hop <= kMaxRouters; ++hop) {
      for (const bool v4 : {true, false}) {
        const IpAddress address = RouterAddress(static_cast<HostId>(host), hop, v4);
        EXPECT_TRUE(addresses.insert(address).second) << address.ToString();
        EXPECT_TRUE(IpPrefix::Parse(v4 ? kRoutersIpv4 : kRoutersIpv6)->Contains(address));
      }
    }
  }
}

TEST(ParseWorld, RttsAreSymmetricAndSameCityHostsUseTheDiagonal) {
  const auto world = ParseWorld(kSmall, "small.world");
  ASSERT_TRUE(world.ok());
  EXPECT_EQ(*world->Rtt("tokyo", "lagos"), microseconds(231'400));
  EXPECT_EQ(*world->Rtt("lagos", "tokyo"), microseconds(231'400));
  EXPECT_EQ(*world->Rtt("tokyo", "origin"), microseconds(1000));
  EXPECT_EQ(*world->Rtt("tokyo", "tokyo"), microseconds(0));
  EXPECT_TRUE(absl::IsNotFound(world->Rtt("tokyo", "atlantis").status()));
}

TEST(ParseWorld, PairOverridesCities) {
  const auto world = ParseWorld(std::string(kSmall) + "pair lagos tokyo 99\n", "small.world");
  ASSERT_TRUE(world.ok());
  EXPECT_EQ(*world->Rtt("tokyo", "lagos"), microseconds(99'000));
  EXPECT_EQ(*world->Rtt("origin", "lagos"), microseconds(231'400));
}

TEST(World, SelectsByNameAndRoleAndKeepsRtts) {
  const auto world = ParseWorld(kSmall, "small.world");
  ASSERT_TRUE(world.ok());
  const auto two = world->Select({"lagos", "replica"});
  ASSERT_TRUE(two.ok());
  ASSERT_EQ(two->hosts().size(), 2u);
  EXPECT_EQ(*two->Rtt("tokyo", "lagos"), microseconds(231'400));
  EXPECT_FALSE(two->Find("origin"));
  EXPECT_EQ(two->WithRole(Role::kClient).size(), 1u);
  const auto none = world->Select({"lagos", "atlantis"});
  EXPECT_TRUE(absl::IsInvalidArgument(none.status()));
  EXPECT_THAT(std::string(none.status().message()), HasSubstr("'atlantis'"));
}

TEST(ParseWorld, NamesFileAndLineOfWhatIsWrong) {
  const std::string good = "host a client x 198.18.1.1\n";
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"hots a client x 198.18.1.1\n", "w:1: 'hots' is neither"},
      {"host a client x\n", "w:1: a host is"},
      {"host A client x 198.18.1.1\n", "w:1: 'A' is no name"},
      {"host ../a client x 198.18.1.1\n", "w:1: '../a' is no name"},
      {good + "\n" + good, "w:3: host 'a' is described twice"},
      {good + "host b client x 198.18.1.1\n", "w:2: address 198.18.1.1 is another"},
      {"host a visitor x 198.18.1.1\n", "w:1: role 'visitor'"},
      {"host a client x 10.0.0.1\n", "w:1: '10.0.0.1' is no IPv4 address in 198.18.0.0/15"},
      {"host a client x 198.18.0.1\n", "w:1: 198.18.0.1 is the gateway's"},
      {"host a client x 198.18.1.1 2001:db8::1\n", "w:1: '2001:db8::1' is no IPv6 address in fd00::/8"},
      {"host a client x 198.18.1.1 fd00::1 fd00::2\n", "w:1: a host has at most one IPv6"},
      {"host a client x 198.18.1.1 shiny\n", "w:1: unknown knob 'shiny'"},
      {"host a client x 198.18.1.1 loss=101%\n", "w:1: loss is a percentage"},
      {"host a client x 198.18.1.1 jitter=-1ms\n", "w:1: jitter is in milliseconds"},
      {"host a client x 198.18.1.1 rate=1bit\n", "w:1: rate is"},
      {"host a client x 198.18.1.1 routers=31\n", "w:1: routers are 0 to 30"},
      {"host a client x 198.18.1.1 last_hop=near\n", "w:1: last_hop is in milliseconds"},
      {"host a client x 198.19.128.1\n", "w:1: 198.19.128.1 is kept for routers"},
      {"host a client x 198.18.1.1 fd00:ffff::1\n", "w:1: fd00:ffff::1 is kept for routers"},
      {good, "w:1: there is no line 'city x"},
      {good + "city x\n", "w:2: x has 0 RTTs: row 1 needs 1"},
      {good + "city y 1\ncity x 1 2 3\n", "w:3: x has 3 RTTs: row 2 needs 2"},
      {good + "city x 1\ncity x 1 1\n", "w:3: city 'x' is described twice"},
      {good + "city x fast\n", "w:2: 'fast' is no RTT"},
      {good + "city x 10001\n", "w:2: '10001' is no RTT"},
      {good + "city x 1\npair a b 1\n", "w:3: 'a' and 'b' are not two hosts"},
      {good + "city x 1\npair a a 1\n", "w:3: 'a' and 'a' are not two hosts"},
      {"# nothing\n", "w:1: a world has at least one host"},
  };
  for (const auto& [text, message] : cases) {
    const auto world = ParseWorld(text, "w");
    ASSERT_TRUE(absl::IsInvalidArgument(world.status())) << text;
    EXPECT_THAT(std::string(world.status().message()), HasSubstr(message));
  }
}

TEST(ParseWorld, RefusesMoreThanTheLargestNumberOfHosts) {
  std::string text;
  for (size_t i = 0; i <= kMaxHosts; ++i) {
    text += "host h" + std::to_string(i) + " client x 198.19." + std::to_string(i / 250) + "." +
            std::to_string(i % 250) + "\n";
  }
  const auto world = ParseWorld(text + "city x 1\n", "w");
  EXPECT_THAT(std::string(world.status().message()), HasSubstr("w:1025: a world has at most 1024 hosts"));
}

TEST(ParseWorld, AnyByteMayBeWrong) {
  std::mt19937 random(7);
  for (int i = 0; i < 5000; ++i) {
    std::string text(kSmall);
    for (int j = 0; j < 3; ++j) text[random() % text.size()] = static_cast<char>(random());
    const auto world = ParseWorld(text, "w");
    if (!world.ok()) {
      EXPECT_THAT(std::string(world.status().message()), testing::StartsWith("w:")) << text;
    }
  }
}

TEST(LoadWorld, SaysWhichFileIsMissing) {
  const auto world = LoadWorld("/nonexistent.world");
  EXPECT_TRUE(absl::IsNotFound(world.status()));
  EXPECT_THAT(std::string(world.status().message()), HasSubstr("/nonexistent.world"));
}

// The table that the demo and the end-to-end tests stand on.
class Earth : public testing::Test {
 protected:
  void SetUp() override {
    auto world = LoadWorld("tests/world/earth.world");
    ASSERT_TRUE(world.ok()) << world.status();
    world_.emplace(*std::move(world));
  }
  std::optional<World> world_;
};

TEST_F(Earth, HasNineReplicasAnOriginADirectorAndClientsAllOverTheWorld) {
  EXPECT_EQ(world_->WithRole(Role::kReplica).size(), 9u);
  EXPECT_EQ(world_->WithRole(Role::kOrigin).size(), 1u);
  EXPECT_EQ(world_->WithRole(Role::kDirector).size(), 1u);
  EXPECT_GE(world_->WithRole(Role::kClient).size(), 60u);
}

TEST_F(Earth, EveryClientAndReplicaIsAloneInItsPrefixes) {
  absl::flat_hash_set<IpPrefix> prefixes;
  for (const Host& host : world_->hosts()) {
    if (host.role != Role::kClient && host.role != Role::kReplica) continue;
    EXPECT_TRUE(prefixes.insert(IpPrefix(host.ipv4, 24)).second) << host.name;
    if (host.ipv6) {
      EXPECT_TRUE(prefixes.insert(IpPrefix(*host.ipv6, 56)).second) << host.name;
    }
  }
}

TEST_F(Earth, SomeClientsAreSilentAndNoReplicaIs) {
  size_t silent = 0;
  for (const Host& host : world_->hosts()) {
    if (host.role == Role::kClient && host.knobs.block_icmp) ++silent;
    if (host.role == Role::kReplica) {
      EXPECT_FALSE(host.knobs.block_icmp) << host.name;
    }
  }
  EXPECT_GE(silent, 8u);
}

TEST_F(Earth, HasPlausibleRtts) {
  EXPECT_EQ(*world_->Rtt("director", "washington"), microseconds(600));
  EXPECT_EQ(*world_->Rtt("client-tokyo", "tokyo"), microseconds(1000));
  EXPECT_NEAR(static_cast<double>(world_->Rtt("washington", "dublin")->count()), 95'000, 5'000);
  for (const HostId client : world_->WithRole(Role::kClient)) {
    for (const HostId replica : world_->WithRole(Role::kReplica)) {
      EXPECT_GE(world_->Rtt(client, replica), microseconds(500)) << world_->host(client).name;
      EXPECT_LE(world_->Rtt(client, replica), microseconds(600'000)) << world_->host(client).name;
    }
  }
}

}  // namespace
}  // namespace perigee::world
