#include "services/prober/ladder.h"

#include <array>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "services/prober/backoff.h"

namespace perigee {
namespace {

using std::chrono::milliseconds;
using testing::ElementsAre;
using testing::IsEmpty;

class LadderTest : public testing::Test {
 protected:
  MonoTime At(int ms) const { return start_ + milliseconds(ms); }
  Ladder Make(uint32_t probes, int silent_ms = 1500) const {
    const LadderPlan plan{
        .probes = probes, .ports = 3, .tcp_stagger = milliseconds(60), .hop_stagger = milliseconds(60)};
    return Ladder(plan, start_, At(silent_ms));
  }
  // One that looks for the last hop: at 120 ms, by six datagrams.
  Ladder Tracing(int silent_ms = 1500) const {
    Ladder ladder = Make(1, silent_ms);
    ladder.OnTimer(At(60));
    EXPECT_EQ(ladder.OnTimer(At(120)).hops.size(), kFirstHopProbes);
    ladder.OnHopsSent(6, At(120));
    return ladder;
  }
  static HopReply Hop(uint8_t ttl, int ms) {
    return {ttl, IpAddress::V4(std::array<uint8_t, 4>{198, 18, 0, ttl}), milliseconds(ms)};
  }
  const MonoTime start_{std::chrono::hours(1)};
};

TEST_F(LadderTest, IcmpAloneAnswersBeforeTheStagger) {
  Ladder ladder = Make(1);
  EXPECT_EQ(ladder.wake(), At(60));
  ladder.OnIcmpEnd(1, {Rtt(20'000)}, At(20));
  ASSERT_TRUE(ladder.result().has_value());
  EXPECT_EQ(ladder.result()->method, ProbeMethod::kIcmpEcho);
  EXPECT_THAT(ladder.result()->rtts, ElementsAre(Rtt(20'000)));
  EXPECT_EQ(ladder.packets_sent(), 1u) << "no port was knocked on";
}

TEST_F(LadderTest, TcpStartsAfterTheStaggerWhileIcmpIsAwaited) {
  Ladder ladder = Make(1);
  EXPECT_FALSE(ladder.OnTimer(At(59)).start_tcp);
  EXPECT_TRUE(ladder.OnTimer(At(60)).start_tcp);
  EXPECT_FALSE(ladder.OnTimer(At(61)).start_tcp) << "once";
  EXPECT_EQ(ladder.wake(), At(120)) << "the next rung";
  ladder.OnIcmpEnd(1, {Rtt(100'000)}, At(100));
  EXPECT_EQ(ladder.result()->method, ProbeMethod::kIcmpEcho);
  EXPECT_EQ(ladder.packets_sent(), 4u);
}

TEST_F(LadderTest, TheFirstTcpAnswerWinsOverASilentIcmp) {
  Ladder ladder = Make(1);
  ladder.OnTimer(At(60));
  ladder.OnTcpAnswer(Rtt(30'000), At(90));
  EXPECT_EQ(ladder.result()->method, ProbeMethod::kTcpSyn);
  EXPECT_THAT(ladder.result()->rtts, ElementsAre(Rtt(30'000)));
  EXPECT_EQ(ladder.result()->sent, 3u);
}

TEST_F(LadderTest, AFailedIcmpStartsTcpAtOnce) {
  Ladder ladder = Make(1);
  EXPECT_TRUE(ladder.OnIcmpEnd(0, {}, At(1)).start_tcp);
  EXPECT_FALSE(ladder.OnTcpEnd(At(2)).hops.empty());
  ladder.OnHopsSent(0, At(2));
  EXPECT_EQ(ladder.result()->method, ProbeMethod::kSilent) << "nothing is left to wait for";
  EXPECT_EQ(ladder.result()->sent, 3u);
}

TEST_F(LadderTest, SilenceHaltsIcmpAndIsReported) {
  Ladder ladder = Tracing();
  EXPECT_EQ(ladder.wake(), At(1500));
  ladder.OnTcpEnd(At(1050));
  EXPECT_FALSE(ladder.result().has_value());
  EXPECT_TRUE(ladder.OnTimer(At(1500)).halt_icmp);
  EXPECT_EQ(ladder.wake(), At(1500) + kHaltGrace);
  EXPECT_FALSE(ladder.OnTimer(At(1501)).halt_icmp) << "once";
  ladder.OnIcmpEnd(1, {}, At(1501));
  EXPECT_EQ(ladder.result()->method, ProbeMethod::kSilent);
  EXPECT_THAT(ladder.result()->rtts, IsEmpty());
  EXPECT_EQ(ladder.result()->sent, 10u) << "an echo, three ports, six hops";
}

TEST_F(LadderTest, TheFarthestHopIsAFloorForAClientThatNothingElseReaches) {
  Ladder ladder = Tracing();
  ladder.OnHopReply(Hop(2, 5), At(125));
  ladder.OnHopReply(Hop(5, 20), At(140));
  EXPECT_EQ(ladder.wake(), At(140) + kHopPause);
  EXPECT_THAT(ladder.OnTimer(ladder.wake()).hops, ElementsAre(6, 7));
  ladder.OnHopsSent(2, At(170));
  ladder.OnHopReply(Hop(6, 22), At(192));
  EXPECT_FALSE(ladder.result().has_value()) << "a farther one may answer later";
  EXPECT_EQ(ladder.wake(), At(120) + kHopPatience);
  ladder.OnTimer(ladder.wake());
  ASSERT_TRUE(ladder.result().has_value());
  EXPECT_EQ(ladder.result()->method, ProbeMethod::kLastHop);
  EXPECT_THAT(ladder.result()->rtts, ElementsAre(milliseconds(22)));
  EXPECT_EQ(ladder.result()->hop->ttl, 6);
  EXPECT_EQ(ladder.result()->sent, 8u);
  EXPECT_EQ(ladder.packets_sent(), 12u);
}

TEST_F(LadderTest, WhatMeasuresCountsBeforeAFloor) {
  Ladder by_tcp = Tracing(), by_icmp = Tracing();
  by_tcp.OnHopReply(Hop(3, 20), At(140));
  by_tcp.OnTcpAnswer(milliseconds(100), At(160));
  EXPECT_EQ(by_tcp.result()->method, ProbeMethod::kTcpSyn);
  by_icmp.OnHopReply(Hop(3, 20), At(140));
  by_icmp.OnIcmpEnd(1, {milliseconds(160)}, At(160));
  EXPECT_EQ(by_icmp.result()->method, ProbeMethod::kIcmpEcho);
}

TEST_F(LadderTest, TheClientsOwnAnswerToADatagramIsARoundTrip) {
  Ladder ladder = Tracing();
  ladder.OnHopReply(Hop(2, 5), At(125));
  ladder.OnClientReply(Hop(3, 30), At(150));
  EXPECT_EQ(ladder.result()->method, ProbeMethod::kUdpPort) << "at once";
  EXPECT_THAT(ladder.result()->rtts, ElementsAre(milliseconds(30)));
}

TEST_F(LadderTest, WhomTcpReachesIsNotTraced) {
  Ladder ladder = Make(3);
  ladder.OnTimer(At(60));
  ladder.OnTcpAnswer(Rtt(250'000), At(310));
  EXPECT_TRUE(ladder.OnTimer(At(400)).hops.empty());
}

TEST_F(LadderTest, OnceTcpHasAnsweredNoMoreHopsAreTried) {
  Ladder ladder = Make(3);
  ladder.OnTimer(At(60));
  ladder.OnTimer(At(320));
  ladder.OnHopsSent(6, At(320));
  ladder.OnHopReply(Hop(2, 5), At(325));
  ladder.OnTcpAnswer(milliseconds(280), At(340));
  EXPECT_EQ(ladder.wake(), At(200 + 280 + 100)) << "for ICMP's sake, and for nothing before";
  EXPECT_TRUE(ladder.OnTimer(At(400)).hops.empty());
}

TEST_F(LadderTest, SeveralEchoesAreAllSentBeforeTheLastHopIsLookedFor) {
  Ladder ladder = Make(3);
  ladder.OnTimer(At(60));
  EXPECT_TRUE(ladder.OnTimer(At(319)).hops.empty());
  EXPECT_FALSE(ladder.OnTimer(At(320)).hops.empty());
  ladder.OnHopsSent(6, At(320));
  ladder.OnHopReply(Hop(17, 20), At(340));
  EXPECT_FALSE(ladder.OnTimer(At(370)).hops.empty());
  ladder.OnHopsSent(2, At(370));
  EXPECT_TRUE(ladder.OnTimer(At(320) + kHopPatience).halt_icmp) << "it may have some answers";
  ladder.OnIcmpEnd(3, {}, At(481));
  EXPECT_EQ(ladder.result()->method, ProbeMethod::kLastHop);
}

TEST_F(LadderTest, AnEarlierDeadlineTakesTheFloorThatThereIs) {
  Ladder ladder = Tracing(200);
  ladder.OnHopReply(Hop(2, 5), At(125));
  EXPECT_EQ(ladder.SoFar().method, ProbeMethod::kLastHop);
  ladder.OnTimer(At(200));
  EXPECT_EQ(ladder.result()->method, ProbeMethod::kLastHop);
}

TEST_F(LadderTest, SilentRoutersEndInSilenceWhenAllElseHasEnded) {
  Ladder ladder = Make(1);
  ladder.OnIcmpEnd(0, {}, At(1));
  ladder.OnTcpEnd(At(2));
  ladder.OnHopsSent(6, At(2));
  EXPECT_EQ(ladder.wake(), At(2) + kHopPatience);
  ladder.OnTimer(ladder.wake());
  EXPECT_EQ(ladder.result()->method, ProbeMethod::kSilent);
}

TEST_F(LadderTest, WithoutAPermitThereIsNoTrace) {
  Ladder ladder = Make(1);
  ladder.OnTimer(At(60));
  ladder.OnTimer(At(120));
  ladder.OnHopsSent(0, At(120));
  EXPECT_TRUE(ladder.OnTimer(At(200)).hops.empty()) << "it is asked for once";
  EXPECT_EQ(ladder.wake(), At(1500));
  EXPECT_EQ(ladder.packets_sent(), 4u);
}

TEST_F(LadderTest, AHaltThatIsNotAnsweredDoesNotHoldTheMeasurement) {
  Ladder ladder = Make(1);
  ladder.OnTimer(At(60));
  ladder.OnTimer(At(1500));
  ladder.OnTimer(ladder.wake());
  EXPECT_EQ(ladder.result()->method, ProbeMethod::kSilent);
}

TEST_F(LadderTest, SeveralProbesPreferIcmpThoughTcpAnswersFirst) {
  Ladder ladder = Make(3);
  ladder.OnTimer(At(60));
  ladder.OnTcpAnswer(Rtt(10'000), At(70));
  EXPECT_FALSE(ladder.result().has_value());
  ladder.OnIcmpEnd(3, {Rtt(9'000), Rtt(8'000), Rtt(9'500)}, At(210));
  EXPECT_EQ(ladder.result()->method, ProbeMethod::kIcmpEcho);
  EXPECT_EQ(ladder.result()->rtts.size(), 3u);
}

TEST_F(LadderTest, SeveralProbesGiveIcmpAFairChanceThenTakeTcp) {
  Ladder ladder = Make(3);
  ladder.OnTimer(At(60));
  ladder.OnTcpAnswer(Rtt(10'000), At(70));
  ladder.OnTcpAnswer(Rtt(12'000), At(72));
  EXPECT_EQ(ladder.wake(), At(200 + 10 + 100)) << "the echoes' sending, a round trip, slack";
  EXPECT_TRUE(ladder.OnTimer(At(310)).halt_icmp);
  ladder.OnIcmpEnd(3, {}, At(311));
  EXPECT_EQ(ladder.result()->method, ProbeMethod::kTcpSyn);
  EXPECT_THAT(ladder.result()->rtts, ElementsAre(Rtt(10'000), Rtt(12'000)));
}

TEST_F(LadderTest, AHaltedIcmpWithSomeAnswersStillWins) {
  Ladder ladder = Make(3);
  ladder.OnTimer(At(60));
  ladder.OnTcpAnswer(Rtt(10'000), At(70));
  ladder.OnTimer(At(310));
  ladder.OnIcmpEnd(3, {Rtt(9'000)}, At(311));
  EXPECT_EQ(ladder.result()->method, ProbeMethod::kIcmpEcho);
  EXPECT_EQ(ladder.result()->sent, 3u);
}

TEST_F(LadderTest, SilenceBeforeTheStaggerNeverStartsTcp) {
  Ladder ladder = Make(1, 40);
  EXPECT_EQ(ladder.wake(), At(40));
  const auto actions = ladder.OnTimer(At(40));
  EXPECT_TRUE(actions.halt_icmp);
  EXPECT_FALSE(actions.start_tcp);
  ladder.OnIcmpEnd(1, {}, At(41));
  EXPECT_EQ(ladder.result()->sent, 1u);
}

TEST_F(LadderTest, APatientCallerExtendsAndAnImpatientOneDoesNot) {
  Ladder ladder = Make(1, 500);
  ladder.Extend(At(300));
  EXPECT_FALSE(ladder.OnTimer(At(400)).halt_icmp);
  ladder.Extend(At(900));
  EXPECT_FALSE(ladder.OnTimer(At(500)).halt_icmp);
  EXPECT_TRUE(ladder.OnTimer(At(900)).halt_icmp);
}

TEST_F(LadderTest, WhatComesAfterTheEndChangesNothing) {
  Ladder ladder = Make(1);
  ladder.OnTimer(At(60));
  ladder.OnTcpAnswer(Rtt(1'000), At(61));
  const auto actions = ladder.OnIcmpEnd(1, {Rtt(5)}, At(62));
  EXPECT_FALSE(actions.halt_icmp || actions.start_tcp);
  EXPECT_EQ(ladder.result()->method, ProbeMethod::kTcpSyn);
}

TEST(Backoff, DoublesUpToItsLimitWithJitterAndResets) {
  Backoff backoff(milliseconds(100), milliseconds(10'000), 1);
  for (const int nominal : {100, 200, 400, 800, 1600, 3200, 6400, 10'000, 10'000}) {
    const milliseconds delay = backoff.Next();
    EXPECT_LE(delay, milliseconds(nominal));
    EXPECT_GE(delay, milliseconds(nominal * 3 / 4));
  }
  backoff.Reset();
  EXPECT_LE(backoff.Next(), milliseconds(100));
}

}  // namespace
}  // namespace perigee
