#include "tests/world/control_protocol.h"

#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace perigee::world {
namespace {

constexpr HostId kA{0}, kB{1};

class ControlProtocol : public testing::Test {
 protected:
  std::string Ask(std::string_view request) { return Answer(request, world_, fabric_); }

  World world_ = *ParseWorld(
      "host a replica x 198.18.1.10 fd00::1\nhost b client y 198.18.2.10 loss=5%\ncity x 1\ncity y 99.5 2\n",
      "test");
  Fabric fabric_{world_, 1};
};

TEST_F(ControlProtocol, ListsHostsAndRttsAsTheyAreNow) {
  EXPECT_EQ(Ask("hosts"),
            "a\treplica\tx\t198.18.1.10\tfd00::1\t-\nb\tclient\ty\t198.18.2.10\t-\tloss=5%\nOK\n");
  EXPECT_EQ(Ask("rtt b a"), "99.5\nOK\n");
  EXPECT_EQ(Ask("set rtt a b 7ms"), "OK\n");
  EXPECT_EQ(Ask("rtts"), "a 0 7\nb 7 0\nOK\n");
  EXPECT_EQ(Ask("set link a cut"), "OK\n");
  EXPECT_EQ(Ask("set icmp a block"), "OK\n");
  EXPECT_EQ(Ask("set jitter a 0.5"), "OK\n");
  EXPECT_EQ(Ask("set rate a 100mbit"), "OK\n");
  EXPECT_THAT(Ask("hosts"), testing::HasSubstr("block_icmp jitter=0.5ms rate=100mbit cut\n"));
}

TEST_F(ControlProtocol, SetsAndUnsetsEachKnob) {
  Ask("set icmp b block");
  EXPECT_TRUE(fabric_.links().knobs(kB).block_icmp);
  Ask("set icmp b allow");
  EXPECT_FALSE(fabric_.links().knobs(kB).block_icmp);
  Ask("set loss b 100%");
  EXPECT_EQ(fabric_.links().knobs(kB).loss, 1);
  Ask("set link a b cut");
  EXPECT_EQ(fabric_.links().Depart(kA, kB, 1, Wants::kNothing, MonoTime()).verdict, Verdict::kCut);
  Ask("set link b a restore");
  EXPECT_EQ(fabric_.links().Depart(kA, kB, 1, Wants::kNothing, MonoTime()).verdict, Verdict::kLost);
  Ask("set loss b 0%");
  Ask("set loss a b 100%");
  EXPECT_EQ(fabric_.links().Depart(kA, kB, 1, Wants::kNothing, MonoTime()).verdict, Verdict::kLost);
}

TEST_F(ControlProtocol, SetsTheRoutersBeforeAHost) {
  for (const char* request :
       {"set probes b block", "set routers b 8", "set routers b silent", "set last_hop b 2.5ms"})
    EXPECT_EQ(Ask(request), "OK\n") << request;
  EXPECT_THAT(Ask("hosts"), testing::HasSubstr("block_probes routers=8 silent_routers last_hop=2.5ms"));
  Ask("set routers b answer");
  Ask("set routers b 0");
  Ask("set probes b allow");
  const HostKnobs& knobs = fabric_.links().knobs(kB);
  EXPECT_EQ(knobs.routers, 0);
  EXPECT_FALSE(knobs.silent_routers || knobs.block_probes);
}

TEST_F(ControlProtocol, RefusesWhatItDoesNotUnderstandAndChangesNothing) {
  const std::string before = Ask("hosts");
  for (const char* request : {"", "frobnicate", "hosts please", "rtt a", "rtt a nosuch", "set", "set icmp a",
                              "set icmp nosuch block", "set icmp a maybe", "set loss a 5", "set rtt a 5ms",
                              "set rtt a b fast", "set rtt a a 5ms", "set rate a b 1mbit", "set routers a 31",
                              "set probes a maybe", "set link a b c cut"}) {
    EXPECT_THAT(Ask(request), testing::StartsWith("ERR ")) << request;
  }
  EXPECT_EQ(Ask("hosts"), before);
}

TEST_F(ControlProtocol, CountsInStats) {
  fabric_.Receive(kA, std::vector<uint8_t>(3), MonoTime());
  EXPECT_THAT(Ask("stats"), testing::HasSubstr("not_unicast 1\n"));
}

}  // namespace
}  // namespace perigee::world
