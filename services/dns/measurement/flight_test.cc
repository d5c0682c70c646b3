#include "services/dns/measurement/flight.h"

#include "gtest/gtest.h"

namespace perigee::dns {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kHold{500}, kDeadline{3000};
constexpr ReplicaId kA{0}, kB{1}, kC{2};

// Three replicas, 10, 50 and 100 ms of control RTT away, of whose distances nothing is known.
class FlightTest : public testing::Test {
 protected:
  static MonoTime At(int ms) { return MonoTime{} + std::chrono::hours(1) + milliseconds(ms); }
  static Flight Started(std::optional<ReplicaId> home = {}) {
    return Flight({.id = 1,
                   .client = KeyOf(*IpAddress::Parse("198.18.7.7")),
                   .cause = FlightCause::kQuery,
                   .started = At(0),
                   .hold = kHold,
                   .measure_deadline = kDeadline,
                   .home = home,
                   .control_rtt = {milliseconds(10), milliseconds(50), milliseconds(100)}});
  }
  static ReplicaSet Of(std::initializer_list<ReplicaId> ids) {
    ReplicaSet set;
    for (const ReplicaId id : ids) set.Add(id);
    return set;
  }
  static void Answer(Flight& flight, ReplicaId replica, int rtt_ms, int at_ms, Rtt least_control = {}) {
    flight.OnAnswer(replica, {milliseconds(rtt_ms), Method::kIcmpEcho}, true, least_control, At(at_ms));
  }
  Flight::Next Next(const Flight& flight, int at_ms, bool is_awaited = true) const {
    return flight.NextStep(is_awaited, ReplicaSet::All(3), distances_, At(at_ms));
  }

  const ReplicaDistances distances_{3};
};

TEST_F(FlightTest, IsSettledWhenNobodyAwaitedCanBeNearer) {
  Flight flight = Started();
  flight.OnAsked(ReplicaSet::All(3), At(0));
  EXPECT_EQ(Next(flight, 0).step, FlightStep::kWait);
  EXPECT_EQ(Next(flight, 0).until, At(0) + kHold);
  Answer(flight, kA, 20, 30);
  const Flight::Next next = Next(flight, 30);
  EXPECT_EQ(next.step, FlightStep::kWait);
  EXPECT_EQ(next.until, At(100 + 20) + kControlSlack) << "until then the farthest can be as near";
  EXPECT_EQ(Next(flight, 130).step, FlightStep::kAnswer);
  EXPECT_EQ(Next(flight, 130, /*is_awaited=*/false).step, FlightStep::kWait) << "for the other two";
}

TEST_F(FlightTest, WhatAnAnswerTookTooLongTheOthersMayTakeToo) {
  Flight flight = Started();
  flight.OnAsked(ReplicaSet::All(3), At(0));
  Answer(flight, kA, 20, 90, milliseconds(10));  // 60 ms after the echo was back: a second rung
  EXPECT_EQ(Next(flight, 90).until, At(100 + 20 + 60) + kControlSlack);
}

TEST_F(FlightTest, WhenTheHoldIsOverThoseWhoWaitGetTheBestSoFar) {
  Flight flight = Started();
  flight.OnAsked(ReplicaSet::All(3), At(0));
  EXPECT_EQ(Next(flight, 500).step, FlightStep::kAnswerBestSoFar);
  const Flight::Next next = Next(flight, 500, /*is_awaited=*/false);
  EXPECT_EQ(next.step, FlightStep::kWait);
  EXPECT_EQ(next.until, At(0) + kDeadline + kReportGrace);
}

TEST_F(FlightTest, EndsWithTheLastAnswerOrWhenNoneWillCome) {
  Flight flight = Started();
  flight.OnAsked(Of({kA, kB}), At(0));
  Answer(flight, kA, 20, 30);
  EXPECT_EQ(Next(flight, 3500, false).step, FlightStep::kExpire);
  flight.OnAnswer(kB, {}, true, {}, At(40));
  EXPECT_EQ(Next(flight, 40).step, FlightStep::kAnswer);
  EXPECT_EQ(Next(flight, 40, false).step, FlightStep::kComplete);
  EXPECT_EQ(flight.heard(), Of({kA, kB})) << "a failure is heard too";
  EXPECT_EQ(flight.measured(), 1u);
}

TEST_F(FlightTest, WhatCannotBeIsNoSample) {
  Flight flight = Started();
  flight.OnAsked(ReplicaSet::All(3), At(0));
  Answer(flight, kA, 31, 30);  // longer than the call
  Answer(flight, kB, 0, 60);
  EXPECT_EQ(flight.measured(), 0u);
  flight.OnAnswer(kC, {milliseconds(20), Method::kIcmpEcho}, /*is_believed=*/false, {}, At(130));
  EXPECT_EQ(flight.measured(), 0u);
  EXPECT_TRUE(flight.said()[Index(kC)].measured()) << "it has said so";
}

TEST_F(FlightTest, AStrangerIsAnsweredWhenThoseAskedLaterHaveSettledItToo) {
  Flight flight = Started();
  flight.OnAsked(Of({kA}), At(0));
  flight.Reserve(Of({kB, kC}), {});
  Answer(flight, kA, 20, 30);
  EXPECT_EQ(Next(flight, 30).step, FlightStep::kAskMore);
  flight.OnAskedMore(Of({kB}), Of({kC}), At(30));
  const Flight::Next next = Next(flight, 30);
  EXPECT_EQ(next.step, FlightStep::kWait);
  EXPECT_EQ(next.until, At(30 + 50 + 20) + kControlSlack) << "counted from when it was asked";
  Answer(flight, kB, 40, 120);
  EXPECT_EQ(Next(flight, 120).step, FlightStep::kAnswer);
  EXPECT_EQ(Next(flight, 120, false).step, FlightStep::kAskMore) << "behind the answer";
}

TEST_F(FlightTest, WhoseNearestWasNearBeforeIsAnsweredFirst) {
  Flight flight = Started(kA);
  flight.OnAsked(Of({kA}), At(0));
  flight.Reserve(Of({kB, kC}), Of({kA}));
  Answer(flight, kA, 20, 30);
  EXPECT_TRUE(flight.IsPlaced(ReplicaSet::All(3)));
  EXPECT_EQ(Next(flight, 30).step, FlightStep::kAnswer);
  EXPECT_EQ(Next(flight, 30, false).step, FlightStep::kAskMore);
}

}  // namespace
}  // namespace perigee::dns
