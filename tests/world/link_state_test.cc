#include "tests/world/link_state.h"

#include <string>

#include "gtest/gtest.h"

namespace perigee::world {
namespace {

using std::chrono::microseconds;
using std::chrono::milliseconds;
using std::chrono::nanoseconds;

constexpr MonoTime kStart{std::chrono::hours(1)};
constexpr HostId kA{0}, kB{1}, kC{2};

World ThreeHosts(const std::string& knobs_of_a = "") {
  return *ParseWorld(
      "host a client x 198.18.1.10 " + knobs_of_a +
          "\nhost b client y 198.18.2.10\nhost c client y 198.18.3.10\ncity x 1\ncity y 100 2\n",
      "test");
}

TEST(LinkState, APacketTakesHalfTheRtt) {
  LinkState links(ThreeHosts(), 1);
  EXPECT_EQ(links.Depart(kA, kB, 100, Wants::kNothing, kStart).due, kStart + milliseconds(50));
  EXPECT_EQ(links.Depart(kB, kC, 100, Wants::kNothing, kStart).due, kStart + milliseconds(1));
}

TEST(LinkState, JitterStaysInItsBoundsAndAveragesOut) {
  LinkState links(ThreeHosts("jitter=2ms"), 1);
  nanoseconds sum{};
  MonoTime now = kStart;
  for (int i = 0; i < 10'000; ++i) {
    now += milliseconds(10);  // far enough apart that order does not matter
    const nanoseconds delay = links.Depart(kA, kB, 100, Wants::kNothing, now).due - now;
    ASSERT_GE(delay, milliseconds(48));
    ASSERT_LE(delay, milliseconds(52));
    sum += delay;
  }
  EXPECT_NEAR(static_cast<double>((sum / 10'000).count()), 50e6, 0.1e6);
}

TEST(LinkState, JitterNeverReordersAFlow) {
  LinkState links(ThreeHosts("jitter=20ms"), 1);
  MonoTime last = kStart;
  for (int i = 0; i < 1000; ++i) {
    const MonoTime due = links.Depart(kA, kB, 100, Wants::kNothing, kStart + microseconds(i)).due;
    EXPECT_GE(due, last);
    last = due;
  }
}

TEST(LinkState, JitterAboveTheDelayNeverArrivesBeforeItLeft) {
  LinkState links(ThreeHosts("jitter=500ms"), 1);
  for (int i = 0; i < 1000; ++i) {
    const MonoTime now = kStart + milliseconds(1000 * i);
    EXPECT_GE(links.Depart(kA, kB, 100, Wants::kNothing, now).due, now);
  }
}

TEST(LinkState, BlockedIcmpDropsEchoRequestsToTheHostOnly) {
  LinkState links(ThreeHosts("block_icmp"), 1);
  EXPECT_EQ(links.Depart(kB, kA, 100, Wants::kEcho, kStart).verdict, Verdict::kIcmpBlocked);
  EXPECT_EQ(links.Depart(kB, kA, 100, Wants::kNothing, kStart).verdict, Verdict::kForward);
  EXPECT_EQ(links.Depart(kA, kB, 100, Wants::kEcho, kStart).verdict, Verdict::kForward);
}

int Lost(LinkState& links, HostId from, HostId to, int packets) {
  int lost = 0;
  for (int i = 0; i < packets; ++i) {
    if (links.Depart(from, to, 100, Wants::kNothing, kStart).verdict == Verdict::kLost) ++lost;
  }
  return lost;
}

TEST(LinkState, LossOfHostsAndPairsIsDrawnAtTheirRates) {
  LinkState links(ThreeHosts("loss=10%"), 1);
  EXPECT_NEAR(Lost(links, kA, kB, 100'000), 10'000, 500);
  EXPECT_NEAR(Lost(links, kB, kA, 100'000), 10'000, 500);
  EXPECT_EQ(Lost(links, kB, kC, 1000), 0);
  links.SetPairLoss(kA, kB, 0.5);
  EXPECT_NEAR(Lost(links, kA, kB, 100'000), 55'000, 700);  // 1 − 0.9·0.5
  links.knobs(kA).loss = 1;
  EXPECT_EQ(Lost(links, kC, kA, 1000), 1000);
}

TEST(LinkState, TheSameSeedLosesTheSamePackets) {
  LinkState one(ThreeHosts("loss=50%"), 42), two(ThreeHosts("loss=50%"), 42),
      other(ThreeHosts("loss=50%"), 43);
  int differences = 0;
  for (int i = 0; i < 1000; ++i) {
    const Verdict verdict = one.Depart(kA, kB, 100, Wants::kNothing, kStart).verdict;
    EXPECT_EQ(two.Depart(kA, kB, 100, Wants::kNothing, kStart).verdict, verdict);
    if (other.Depart(kA, kB, 100, Wants::kNothing, kStart).verdict != verdict) ++differences;
  }
  EXPECT_GT(differences, 300);
}

TEST(LinkState, CutsHoldUntilRestored) {
  LinkState links(ThreeHosts(), 1);
  links.SetPairCut(kA, kB, true);
  EXPECT_EQ(links.Depart(kB, kA, 100, Wants::kNothing, kStart).verdict, Verdict::kCut);
  EXPECT_EQ(links.Depart(kA, kC, 100, Wants::kNothing, kStart).verdict, Verdict::kForward);
  links.SetPairCut(kA, kB, false);
  links.SetCut(kC, true);
  EXPECT_EQ(links.Depart(kA, kC, 100, Wants::kNothing, kStart).verdict, Verdict::kCut);
  EXPECT_EQ(links.Depart(kA, kB, 100, Wants::kNothing, kStart).verdict, Verdict::kForward);
}

TEST(LinkState, AChangedRttHoldsForBothDirectionsAndKeepsOrder) {
  LinkState links(ThreeHosts(), 1);
  const MonoTime before = links.Depart(kB, kA, 100, Wants::kNothing, kStart).due;
  links.SetRtt(kA, kB, milliseconds(10));
  EXPECT_EQ(links.Depart(kA, kB, 100, Wants::kNothing, kStart).due, kStart + milliseconds(5));
  EXPECT_EQ(links.Depart(kB, kA, 100, Wants::kNothing, kStart).due, before);
  EXPECT_EQ(links.Depart(kB, kA, 100, Wants::kNothing, kStart + milliseconds(100)).due,
            kStart + milliseconds(105));
}

TEST(LinkState, ALimitedUplinkSpacesPacketsAndDropsBeyondItsBacklog) {
  LinkState links(ThreeHosts("rate=1mbit"), 1);
  // 1250 bytes take 10 ms at 1 Mbit/s.
  EXPECT_EQ(links.Depart(kA, kB, 1250, Wants::kNothing, kStart).due, kStart + milliseconds(60));
  EXPECT_EQ(links.Depart(kA, kB, 1250, Wants::kNothing, kStart).due, kStart + milliseconds(70));
  int sent = 2;
  while (links.Depart(kA, kB, 1250, Wants::kNothing, kStart).verdict == Verdict::kForward) ++sent;
  EXPECT_EQ(sent, kMaxRateBacklog / milliseconds(10) + 1);
  EXPECT_EQ(links.Depart(kA, kB, 1250, Wants::kNothing, kStart).verdict, Verdict::kRateBacklog);
}

TEST(LinkState, ALimitedDownlinkIsBusyWithOnePacketAtATime) {
  LinkState links(ThreeHosts("rate=1mbit"), 1);
  EXPECT_EQ(links.Arrive(kA, 1250, kStart), kStart + milliseconds(10));
  EXPECT_EQ(links.Arrive(kA, 1250, kStart), kStart + milliseconds(20));
  EXPECT_EQ(links.Arrive(kA, 1250, kStart + milliseconds(50)), kStart + milliseconds(60));
  EXPECT_EQ(links.Arrive(kB, 1250, kStart), kStart);
}

TEST(LinkState, BlockedProbesDropAllThatTheHostHasNotAskedFor) {
  LinkState links(ThreeHosts("block_probes"), 1);
  EXPECT_EQ(links.Depart(kB, kA, 100, Wants::kEcho, kStart).verdict, Verdict::kProbeBlocked);
  EXPECT_EQ(links.Depart(kB, kA, 100, Wants::kOther, kStart).verdict, Verdict::kProbeBlocked);
  EXPECT_EQ(links.Depart(kB, kA, 100, Wants::kNothing, kStart).verdict, Verdict::kForward);
  EXPECT_EQ(links.Depart(kA, kB, 100, Wants::kOther, kStart).verdict, Verdict::kForward);
}

TEST(LinkState, RoutersStandEvenlyBeforeTheLastHop) {
  LinkState links(ThreeHosts("routers=4 last_hop=20ms"), 1);  // a and b are 100 ms apart
  EXPECT_EQ(links.TurnBack(kB, kA, 1, 100, kStart).due, kStart + milliseconds(20));
  EXPECT_EQ(links.TurnBack(kB, kA, 4, 100, kStart).due, kStart + milliseconds(80));
  EXPECT_EQ(links.TurnBack(kB, kA, 4, 100, kStart).verdict, Verdict::kExpired);
  links.SetRtt(kA, kB, milliseconds(10));
  EXPECT_EQ(links.TurnBack(kB, kA, 4, 100, kStart).due, kStart) << "never before it is sent";
}

TEST(LinkState, APacketThatTurnsBackIsCutAndLostAsAnyOther) {
  LinkState links(ThreeHosts("routers=4 loss=100%"), 1);
  EXPECT_EQ(links.TurnBack(kB, kA, 1, 100, kStart).verdict, Verdict::kLost);
  links.SetPairCut(kA, kB, true);
  EXPECT_EQ(links.TurnBack(kB, kA, 1, 100, kStart).verdict, Verdict::kCut);
}

}  // namespace
}  // namespace perigee::world
