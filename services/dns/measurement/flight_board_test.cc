// Who is measured when, when it is answered, and what is counted.
#include "services/dns/measurement/testing_board.h"

namespace perigee::dns {
namespace {

TEST_F(FlightBoardTest, AsksEveryMeasurableReplicaAtOnce) {
  fleet_.SetUp(Part::kProber, ToReplicaId(1), false);
  Park();
  EXPECT_EQ(calls_, (std::vector<std::pair<uint64_t, ReplicaId>>{{1, ToReplicaId(0)}, {1, ToReplicaId(2)}}));
}

TEST_F(FlightBoardTest, DecidesWhenTimeHasRuledOutTheOthers) {
  Park();
  Pass(40);
  Answer(0, 30);  // 10 of control and 30 of RTT
  EXPECT_TRUE(answers_.empty()) << "replica 2 could still be nearer";
  Pass(91);  // 131 < 100 + 30 + 2
  EXPECT_TRUE(answers_.empty());
  Pass(2);
  ASSERT_EQ(answers_.size(), 1u);
  EXPECT_EQ(answers_[0].replica, ToReplicaId(0));
  EXPECT_EQ(answers_[0].reason, Reason::kMeasuredBest);
}

TEST_F(FlightBoardTest, DecidesAtOnceWhenDistanceRulesOutTheOthers) {
  fleet_.SetDistance(ToReplicaId(0), ToReplicaId(1), milliseconds(80));
  fleet_.SetDistance(ToReplicaId(0), ToReplicaId(2), milliseconds(200));
  Park();
  Pass(40);
  Answer(0, 30);
  ASSERT_EQ(answers_.size(), 1u);
  EXPECT_EQ(answers_[0].replica, ToReplicaId(0));
}

TEST_F(FlightBoardTest, WaitsForTheOverheadThatTheFirstAnswerShows) {
  Park();
  Pass(100);
  Answer(0, 30);  // 60 ms later than 10 + 30: its TCP rung, say
  Pass(80);       // 180: past 132, but not past 132 + 60
  EXPECT_TRUE(answers_.empty());
  Answer(2, 20);  // rules out replica 1, from which 50 + 20 + 60 + 2 have passed
  ASSERT_EQ(answers_.size(), 1u);
  EXPECT_EQ(answers_[0].replica, ToReplicaId(2));
}

TEST_F(FlightBoardTest, AControlPathThatWasSlowOnceHidesNoOverhead) {
  fleet_.SetControlRtt(ToReplicaId(0), milliseconds(60), milliseconds(10));
  Park();
  Pass(100);
  Answer(0, 30);  // 60 ms later than 10 + 30
  Pass(90);       // 190: past 100 + 30 + 10, but not past 100 + 30 + 60
  EXPECT_TRUE(answers_.empty());
  Pass(3);
  EXPECT_EQ(answers_.size(), 1u);
}

TEST_F(FlightBoardTest, AnswersBestSoFarWhenHoldExpires) {
  fleet_.SetControlRtt(ToReplicaId(2), Rtt::zero());  // unknown: never ruled out by time
  Park();
  Pass(60);
  Answer(0, 40);
  Pass(439);
  EXPECT_TRUE(answers_.empty());
  Pass(1);
  ASSERT_EQ(answers_.size(), 1u);
  EXPECT_EQ(answers_[0].replica, ToReplicaId(0));
  EXPECT_EQ(answers_[0].reason, Reason::kHoldExpired);
  EXPECT_FALSE(Known()) << "what is not settled is not remembered";
  Park();
  EXPECT_EQ(answers_.size(), 2u) << "the hold is over for everyone";
  EXPECT_EQ(calls_.size(), 3u) << "and nobody is asked twice";
}

TEST_F(FlightBoardTest, LateAnswersStillChangeTheMap) {
  Park();
  Pass(550);
  ASSERT_EQ(answers_.size(), 1u);
  EXPECT_EQ(answers_[0].reason, Reason::kHashed);
  Answer(0, 300);
  Answer(1, 250);
  Answer(2, 280);
  EXPECT_EQ(Row().decision.replica, ToReplicaId(1));
  EXPECT_EQ(Row().decision.reason, Reason::kMeasuredBest);
  EXPECT_EQ(board_->flights(), 0u);
}

TEST_F(FlightBoardTest, OneFlightServesAllQueriesOfItsPrefix) {
  for (int i = 0; i < 10; ++i) Park(i % 2 ? kClient : kSamePrefix);
  EXPECT_EQ(calls_.size(), 3u);
  Pass(120);
  for (int i = 0; i < 3; ++i) Answer(i, 20 + i);
  EXPECT_EQ(answers_.size(), 10u);
}

TEST_F(FlightBoardTest, AQueryThatComesJustAfterItsMeasurementNeedsNoSecondOne) {
  Park();
  Pass(120);
  for (int i = 0; i < 3; ++i) Answer(i, 20 + i);
  EXPECT_EQ(board_->flights(), 0u);
  Park();
  EXPECT_EQ(answers_.size(), 2u);
  EXPECT_EQ(calls_.size(), 3u);
  Pass(3000);
  Park();  // an old row was found wanting by who asks: measure again
  EXPECT_EQ(calls_.size(), 6u);
}

TEST_F(FlightBoardTest, FailedAndSilentReplicasAreNotWaitedFor) {
  Park();
  Pass(60);
  Answer(0, 50);
  Fail(1);
  EXPECT_TRUE(answers_.empty());
  AnswerSilent(2);
  ASSERT_EQ(answers_.size(), 1u);
  EXPECT_EQ(answers_[0].reason, Reason::kMeasuredBest);
  EXPECT_EQ(Row().samples[2].method, Method::kSilent);
  EXPECT_EQ(Row().samples[1].method, Method::kUnknown);
}

TEST_F(FlightBoardTest, AnImpossibleTimeIsNoAnswer) {
  Park();
  Pass(60);
  Answer(0, 61);  // longer than the call itself
  Answer(1, 0);   // no time at all
  Answer(2, 10);
  ASSERT_EQ(answers_.size(), 1u);
  EXPECT_EQ(answers_[0].replica, ToReplicaId(2));
  EXPECT_FALSE(Row().samples[0].measured());
}

TEST_F(FlightBoardTest, SecondAnswersAndUnknownFlightsAreNothing) {
  Park();
  Pass(60);
  Answer(0, 50);
  Answer(0, 1);
  Answer(1, 40, /*flight=*/77);
  Fail(1);
  Fail(2);
  EXPECT_EQ(Row().samples[0].rtt, milliseconds(50));
  EXPECT_FALSE(Row().samples[1].measured());
}

TEST_F(FlightBoardTest, WhoMayNotBeProbedIsAnsweredAtOnceWithoutAProbe) {
  permit_.verdict = absl::PermissionDeniedError("bogon");
  Park();
  EXPECT_EQ(answers_.size(), 1u);
  EXPECT_TRUE(calls_.empty());
  EXPECT_FALSE(Known());
}

TEST_F(FlightBoardTest, WithNoProberTheAnswerIsImmediate) {
  for (int i = 0; i < 3; ++i) fleet_.SetUp(Part::kProber, ToReplicaId(i), false);
  Park();
  EXPECT_EQ(answers_.size(), 1u);
}

TEST_F(FlightBoardTest, BeyondTheFlightLimitTheFallbackAnswers) {
  Make({.max_flights = 1});
  Park();
  Park(*IpAddress::Parse("198.18.8.1"));
  EXPECT_EQ(answers_.size(), 1u);
  EXPECT_EQ(board_->flights(), 1u);
}

TEST_F(FlightBoardTest, BeyondTheParkingLimitQueriesAreDropped) {
  Make({.max_parked_per_flight = 2});
  for (int i = 0; i < 5; ++i) Park();
  EXPECT_EQ(dropped_, 3);
}

TEST_F(FlightBoardTest, ProbersThatNeverReportDoNotKeepAFlight) {
  Park();
  Pass(10'000);
  EXPECT_EQ(board_->flights(), 0u);
  EXPECT_EQ(board_->next_due(), std::nullopt);
  EXPECT_EQ(answers_.size(), 1u);
}

TEST_F(FlightBoardTest, ARefreshChangesTheChoiceOnlyForOneNearerByEnough) {
  Park();
  Pass(120);
  Answer(0, 20);
  Answer(1, 30);
  Answer(2, 40);
  board_->Refresh(KeyOf(kClient));
  EXPECT_EQ(board_->flights(), 1u);
  Pass(120);
  Answer(0, 20, 2);
  Answer(1, 17, 2);
  Answer(2, 40, 2);
  EXPECT_EQ(Row().decision.replica, ToReplicaId(0));
  EXPECT_EQ(Row().decision.reason, Reason::kHysteresis);
  EXPECT_EQ(Row().samples[1].rtt, milliseconds(17));
}

// The first flight of kClient, of which replica 2 is out of the question.

TEST_F(FlightBoardTest, WhatIsRememberedIsTheHomeAndWhatIsAnsweredMindsHealthAndLoad) {
  fleet_.SetOverloaded(ToReplicaId(0), true);
  Park();
  Pass(120);
  for (int i = 0; i < 3; ++i) Answer(i, 20 + i);
  ASSERT_EQ(answers_.size(), 1u);
  EXPECT_EQ(answers_[0].replica, ToReplicaId(1));
  EXPECT_EQ(answers_[0].reason, Reason::kShed);
  EXPECT_EQ(Row().decision.replica, ToReplicaId(0));
  EXPECT_EQ(Row().decision.reason, Reason::kMeasuredBest);
  fleet_.SetOverloaded(ToReplicaId(0), false);
  Park();
  EXPECT_EQ(answers_.back().replica, ToReplicaId(0));
}

TEST_F(FlightBoardTest, AnAnswerAfterTheDecisionMovesAStrangerByALittleAndAKnownClientNot) {
  fleet_.SetDistance(ToReplicaId(0), ToReplicaId(1), milliseconds(80));
  fleet_.SetDistance(ToReplicaId(0), ToReplicaId(2), milliseconds(200));
  Park();
  Pass(80);
  Answer(0, 30);
  Answer(1, 27);  // the triangle was wrong
  Fail(2);
  EXPECT_EQ(answers_.at(0).replica, ToReplicaId(0));
  EXPECT_EQ(Row().decision.replica, ToReplicaId(1));
  EXPECT_EQ(Row().decision.reason, Reason::kMeasuredBest);
  Pass(3000);
  Park();  // found wanting by who asks
  Pass(80);
  Answer(0, 24, 2);
  Answer(1, 27, 2);
  Fail(2);
  EXPECT_EQ(Row().decision.replica, ToReplicaId(1));
  EXPECT_EQ(Row().decision.reason, Reason::kHysteresis);
}

TEST_F(FlightBoardTest, StoppingAnswersThoseWhoWaitWithTheBestSoFarAndMeasuresNoMore) {
  Park();
  Pass(60);
  Answer(1, 10);
  board_->Stop();
  ASSERT_EQ(answers_.size(), 1u);
  EXPECT_EQ(answers_[0].replica, ToReplicaId(1));
  EXPECT_EQ(answers_[0].reason, Reason::kHoldExpired);
  EXPECT_EQ(board_->flights(), 0u);
  EXPECT_EQ(board_->next_due(), std::nullopt);
  EXPECT_FALSE(Known()) << "half a measurement is none";
  Answer(0, 20);  // late
  Park();
  board_->Refresh(KeyOf(kClient));
  EXPECT_EQ(answers_.size(), 2u);
  EXPECT_EQ(answers_[1].reason, Reason::kHashed);
  EXPECT_EQ(calls_.size(), 3u);
}

TEST_F(FlightBoardTest, AMillionStrangersAreAllAnsweredAndTakeNoMoreThanTheFlightLimit) {
  constexpr uint32_t kStrangers = 1'000'000;
  Make({.max_flights = 16});
  size_t answered = 0;
  const auto begin = std::chrono::steady_clock::now();
  for (uint32_t i = 0; i < kStrangers; ++i) {
    const uint8_t bytes[4] = {static_cast<uint8_t>(20 + (i >> 16)), static_cast<uint8_t>(i >> 8),
                              static_cast<uint8_t>(i), 1};
    board_->Park(KeyOf(IpAddress::V4(bytes)),
                 [&](const FlightOutcome* outcome) { answered += outcome != nullptr; });
  }
  const std::chrono::duration<double, std::nano> took = std::chrono::steady_clock::now() - begin;
  EXPECT_EQ(board_->flights(), 16u);
  EXPECT_EQ(calls_.size(), 16u * 3);
  EXPECT_EQ(answered, kStrangers - 16);
  EXPECT_EQ(map_.size(), 0u) << "nothing was measured, so nothing is pushed out of the map";
  fmt::print("{:.0f} ns for each stranger beyond the limit\n", took.count() / kStrangers);
  board_.reset();  // tells those who wait, who count in `answered`
}

TEST_F(FlightBoardTest, CountsWhenThoseWhoWaitedWereAnsweredAndHowFlightsEnded) {
  Park();
  Park();
  EXPECT_EQ(counters_.parked.value() - counters_.unparked.value(), 2u);
  Pass(40);
  Answer(0, 30);
  Pass(93);  // time has ruled out the others
  EXPECT_EQ(counters_.answered[FlightAnswer::kEarly].value(), 1u) << "a flight, not its queries";
  EXPECT_EQ(counters_.unparked.value(), 2u);
  EXPECT_EQ(counters_.ended.sum(), 0u);
  Pass(10'000);
  EXPECT_EQ(counters_.ended[FlightEnd::kExpired].value(), 1u);

  Park(*IpAddress::Parse("198.18.8.1"));
  Pass(100);
  for (int i = 0; i < 3; ++i) Answer(i, 20 + i, 2);
  EXPECT_EQ(counters_.answered[FlightAnswer::kComplete].value(), 1u);
  EXPECT_EQ(counters_.ended[FlightEnd::kComplete].value(), 1u);

  Park(*IpAddress::Parse("198.18.9.1"));
  Pass(500);
  Park(*IpAddress::Parse("198.18.9.1"));
  EXPECT_EQ(counters_.answered[FlightAnswer::kHoldExpired].value(), 1u) << "once a flight";

  board_->Refresh(KeyOf(kClient));
  Park(*IpAddress::Parse("198.18.10.1"));
  EXPECT_EQ(counters_.started[FlightCause::kQuery].value(), 4u);
  EXPECT_EQ(counters_.started[FlightCause::kRefresh].value(), 1u);
  board_->Stop();
  EXPECT_EQ(counters_.answered[FlightAnswer::kStopped].value(), 1u) << "nobody waited for the others";
  EXPECT_EQ(counters_.ended[FlightEnd::kStopped].value(), 3u);
  EXPECT_EQ(counters_.started.sum(), counters_.ended.sum());
  EXPECT_EQ(counters_.parked.value(), counters_.unparked.value());
}

TEST_F(FlightBoardTest, CountsWhatItRefusesUnderItsReason) {
  const auto refused = [this](ProbeRefusal reason) { return counters_.probes_refused[reason].value(); };
  Make({.max_flights = 1, .max_parked_per_flight = 2});
  for (int i = 0; i < 5; ++i) Park();
  EXPECT_EQ(counters_.dropped[ParkRefusal::kFlightIsFull].value(), 3u);
  Park(*IpAddress::Parse("198.18.8.1"));
  EXPECT_EQ(refused(ProbeRefusal::kFlightLimit), 1u);
  Pass(10'000);
  for (int i = 0; i < 3; ++i) fleet_.SetUp(Part::kProber, ToReplicaId(i), false);
  Park();
  EXPECT_EQ(refused(ProbeRefusal::kNoProber), 1u);
  board_->Stop();
  Park();
  EXPECT_EQ(refused(ProbeRefusal::kStopped), 1u);
  EXPECT_EQ(counters_.started.sum(), 1u);
}

TEST_F(FlightBoardTest, CountsWhatTheFirstAnswerAndTheRememberedOneHaveLost) {
  const auto lost_us = [this](Judged judged) { return counters_.lost[static_cast<size_t>(judged)].sum_us(); };
  fleet_.SetControlRtt(ToReplicaId(2), Rtt::zero());
  Park();
  Pass(60);
  Answer(0, 40);
  Pass(440);
  ASSERT_EQ(answers_.size(), 1u);
  Answer(1, 50);
  Answer(2, 25);
  EXPECT_EQ(lost_us(Judged::kFirst), 15'000u);
  Pass(10'000);

  board_->Refresh(KeyOf(kClient));
  const auto again = calls_.back().first;
  Pass(60);
  Answer(0, 30, again);
  Answer(1, 50, again);
  Answer(2, 32, again);
  EXPECT_EQ(lost_us(Judged::kRemembered), 2'000u);
  EXPECT_EQ(lost_us(Judged::kFirst), 15'000u);
  EXPECT_EQ(counters_.lost_unknown.sum(), 0u);
}

TEST_F(FlightBoardTest, WhatASilentClientHasLostIsNotKnown) {
  Park();
  for (int i = 0; i < 3; ++i) AnswerSilent(i);
  EXPECT_EQ(counters_.lost_unknown[Judged::kFirst].value(), 1u);
}

TEST_F(FlightBoardTest, AProberThatIsNearToEverybodyIsNotBelievedForLong) {
  fleet_.SetDistance(ToReplicaId(0), ToReplicaId(1), milliseconds(80));
  fleet_.SetDistance(ToReplicaId(0), ToReplicaId(2), milliseconds(200));
  fleet_.SetDistance(ToReplicaId(1), ToReplicaId(2), milliseconds(200));
  const auto measure = [this](int number) {
    const IpAddress client = *IpAddress::Parse(fmt::format("198.18.{}.1", number));
    board_->Park(KeyOf(client),
                 [this](const FlightOutcome* outcome) { answers_.push_back(outcome->decision); });
    const auto flight = calls_.back().first;
    Pass(150);
    Answer(2, 1, flight);
    Answer(0, 40, flight);
    Answer(1, 45, flight);
  };
  for (int i = 1; i <= 20; ++i) measure(i);
  EXPECT_EQ(answers_.front().replica, ToReplicaId(2));
  EXPECT_TRUE(fleet_.distrusted().Contains(ToReplicaId(2)));
  EXPECT_EQ(answers_.back().replica, ToReplicaId(0));
  EXPECT_EQ(answers_.back().reason, Reason::kMeasuredBest);
}

// A network that a resolver at 203.0.113.5 told.
class HearsayTest : public FlightBoardTest {
 protected:
  void ParkHearsay() {
    ClientKey hearsay = KeyOf(kClient);
    hearsay.hearsay_of = resolver_;
    Park(hearsay);
  }
  void Connect(int replica) {
    const PassiveRtt rtt{ClientPrefix(kClient), milliseconds(20)};
    board_->OnPassive(ToReplicaId(replica), {&rtt, 1});
  }
  const IpAddress resolver_ = *IpAddress::Parse("203.0.113.5");
};

TEST_F(HearsayTest, IsNotProbedButItsResolverIs) {
  ParkHearsay();
  EXPECT_EQ(last_client_, resolver_);
  Pass(100);
  for (int i = 0; i < 3; ++i) Answer(i, 30 - i);
  ASSERT_EQ(answers_.size(), 1u);
  EXPECT_EQ(answers_[0].replica, ToReplicaId(2));
  EXPECT_EQ(answers_[0].reason, Reason::kNeighbour);
  EXPECT_FALSE(Known()) << "nothing was measured of the network";
}

TEST_F(HearsayTest, AResolverThatIsKnownAnswersAtOnce) {
  Park(resolver_);
  Pass(100);
  for (int i = 0; i < 3; ++i) Answer(i, 30 - i);
  Pass(5000);
  const size_t calls = calls_.size();
  ParkHearsay();
  ASSERT_EQ(answers_.size(), 2u);
  EXPECT_EQ(answers_[1].replica, ToReplicaId(2));
  EXPECT_EQ(answers_[1].reason, Reason::kNeighbour);
  EXPECT_EQ(calls_.size(), calls);
}

TEST_F(HearsayTest, WhatIsKnownOfTheNeighboursCountsMoreThanTheResolver) {
  Park(*IpAddress::Parse("198.18.200.1"));
  Pass(100);
  for (int i = 0; i < 3; ++i) Answer(i, 30 + i);
  const size_t calls = calls_.size();
  ParkHearsay();
  ASSERT_EQ(answers_.size(), 2u);
  EXPECT_EQ(answers_[1].replica, ToReplicaId(0));
  EXPECT_EQ(answers_[1].reason, Reason::kNeighbour);
  EXPECT_EQ(calls_.size(), calls);
}

TEST_F(HearsayTest, IsProbedOnceAConnectionCameFromThere) {
  Connect(1);
  ParkHearsay();
  EXPECT_EQ(last_client_, kClient);
  Pass(100);
  for (int i = 0; i < 3; ++i) Answer(i, 30 - i);
  EXPECT_EQ(answers_.at(0).reason, Reason::kMeasuredBest);
  EXPECT_TRUE(Known());
}

TEST_F(HearsayTest, IsDroppedWithItsResolversQueriesWhenTheyAreTooMany) {
  Make({.max_parked_per_flight = 2});
  for (int i = 0; i < 3; ++i) ParkHearsay();
  EXPECT_EQ(dropped_, 1);
}

TEST_F(FlightBoardTest, ShutdownDropsThoseWhoWait) {
  Park();
  board_.reset();
  EXPECT_EQ(dropped_, 1);
  EXPECT_EQ(counters_.dropped[ParkRefusal::kStopped].value(), 1u);
  EXPECT_EQ(counters_.ended[FlightEnd::kStopped].value(), 1u);
  EXPECT_EQ(counters_.parked.value(), counters_.unparked.value());
}

}  // namespace
}  // namespace perigee::dns
