#include "services/dns/measurement/flight_board.h"

#include <map>
#include <string>
#include <vector>

#include "fmt/format.h"
#include "gtest/gtest.h"

namespace perigee::dns {
namespace {

using std::chrono::milliseconds;

const IpAddress kClient = *IpAddress::Parse("198.18.7.7");
const IpAddress kSamePrefix = *IpAddress::Parse("198.18.7.99");

// Three replicas, 10, 50 and 100 ms of control RTT away, and a board on a fake clock.
class FlightBoardTest : public testing::Test, public ProberCalls {
 protected:
  FlightBoardTest() { Make({}); }

  void Make(const FlightOptions& options) {
    board_.reset();
    const int control[] = {10, 50, 100};
    for (int i = 0; i < 3; ++i) fleet_.SetControlRtt(ToReplicaId(i), milliseconds(control[i]));
    board_.emplace(
        options, fleet_, map_, *this, clock_, [this](const IpAddress&, MonoTime) { return permit_; },
        &counters_);
  }

  void Measure(uint64_t flight, ReplicaId replica, const IpAddress& client, uint32_t probes,
               milliseconds) override {
    calls_.push_back({flight, replica});
    last_client_ = client;
    last_probes_ = probes;
  }

  void Park(const IpAddress& client = kClient) {
    board_->Park(KeyOf(client), [this](const FlightOutcome* outcome) {
      if (outcome == nullptr) {
        ++dropped_;
      } else {
        answers_.push_back(outcome->decision);
      }
    });
  }
  void Answer(int replica, int rtt_ms, uint64_t flight = 1) {
    board_->OnAnswer(flight, ToReplicaId(replica), {milliseconds(rtt_ms), Method::kIcmpEcho});
  }
  void AnswerSilent(int replica) { board_->OnAnswer(1, ToReplicaId(replica), {Rtt{}, Method::kSilent}); }
  void Fail(int replica) { board_->OnAnswer(1, ToReplicaId(replica), {}); }

  // Lets the time pass, calling OnTime exactly when asked to.
  void Pass(int ms) {
    const MonoTime until = clock_.Now() + milliseconds(ms);
    for (auto due = board_->next_due(); due && *due <= until; due = board_->next_due()) {
      clock_.Advance(*due - clock_.Now());
      board_->OnTime();
    }
    clock_.Advance(until - clock_.Now());
  }
  MapRow Row() {
    MapRow row;
    EXPECT_TRUE(map_.Find(ClientPrefix(kClient), &row));
    return row;
  }
  bool Known() {
    MapRow row;
    return map_.Find(ClientPrefix(kClient), &row);
  }

  FakeClock clock_;
  MeasurementCounters counters_;
  FleetState fleet_{{{.name = "a"}, {.name = "b"}, {.name = "c"}}};
  RttMap map_{3, 1000, MonoTime{}};
  absl::Status permit_;
  std::vector<std::pair<uint64_t, ReplicaId>> calls_;
  std::vector<Decision> answers_;
  IpAddress last_client_;
  uint32_t last_probes_ = 0;
  int dropped_ = 0;
  std::optional<FlightBoard> board_;
};

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

TEST_F(FlightBoardTest, AClientSilentToAllIsHashedAndRemembered) {
  Park();
  Pass(100);
  for (int i = 0; i < 3; ++i) AnswerSilent(i);
  ASSERT_EQ(answers_.size(), 1u);
  EXPECT_EQ(answers_[0].reason, Reason::kHashed);
  EXPECT_TRUE(Known());
}

TEST_F(FlightBoardTest, TheNeighbourhoodStandsInWhenNothingAnswers) {
  Park(*IpAddress::Parse("198.18.200.1"));
  Pass(60);
  for (int i = 0; i < 3; ++i) Answer(i, 30 - i);
  answers_.clear();
  Park();
  Pass(500);
  ASSERT_EQ(answers_.size(), 1u);
  EXPECT_EQ(answers_[0].replica, ToReplicaId(2));
  EXPECT_EQ(answers_[0].reason, Reason::kNeighbour);
}

TEST_F(FlightBoardTest, AClientThatNeverAnswersIsRememberedWithItsNeighboursHome) {
  Park(*IpAddress::Parse("198.18.200.1"));
  Pass(60);
  for (int i = 0; i < 3; ++i) Answer(i, 30 - i);
  answers_.clear();
  Park();
  Pass(100);
  for (int i = 0; i < 3; ++i) board_->OnAnswer(2, ToReplicaId(i), {Rtt{}, Method::kSilent});
  ASSERT_EQ(answers_.size(), 1u);
  EXPECT_EQ(answers_[0].replica, ToReplicaId(2));
  EXPECT_EQ(answers_[0].reason, Reason::kNeighbour);
  EXPECT_EQ(Row().decision.replica, ToReplicaId(2));
  EXPECT_EQ(Row().decision.reason, Reason::kNeighbour);
  EXPECT_FALSE(Row().samples[2].measured()) << "what is inferred is no measurement";
}

TEST_F(FlightBoardTest, WhatIsInferredFollowsTheNeighbours) {
  Park();
  Pass(100);
  for (int i = 0; i < 3; ++i) AnswerSilent(i);
  EXPECT_EQ(Row().decision.reason, Reason::kHashed) << "nobody around is known";
  Park(*IpAddress::Parse("198.18.200.1"));
  Pass(60);
  for (int i = 0; i < 3; ++i) Answer(i, 30 - i, 2);
  board_->Refresh(KeyOf(kClient));
  Pass(100);
  for (int i = 0; i < 3; ++i) board_->OnAnswer(3, ToReplicaId(i), {Rtt{}, Method::kSilent});
  EXPECT_EQ(Row().decision.replica, ToReplicaId(2));
  EXPECT_EQ(Row().decision.reason, Reason::kNeighbour);
}

// A client that answers nothing, whose neighbours are 30, 29 and 28 ms from the replicas.
class SilentClientTest : public FlightBoardTest {
 protected:
  SilentClientTest() {
    Park(*IpAddress::Parse("198.18.200.1"));
    Pass(60);
    for (int i = 0; i < 3; ++i) Answer(i, 30 - i);
    Park();
    Pass(100);
    for (int i = 0; i < 3; ++i) board_->OnAnswer(2, ToReplicaId(i), {Rtt{}, Method::kSilent});
    EXPECT_EQ(Row().decision.replica, ToReplicaId(2));
  }
  void Hear(int replica, int rtt_ms) {
    const PassiveRtt rtt{ClientPrefix(kClient), milliseconds(rtt_ms)};
    board_->OnPassive(ToReplicaId(replica), {&rtt, 1});
  }
};

TEST_F(SilentClientTest, StaysWhereItsConnectionsAreAsShortAsItsNeighbours) {
  Hear(2, 31);
  EXPECT_EQ(Row().decision.replica, ToReplicaId(2));
  EXPECT_EQ(Row().decision.reason, Reason::kHysteresis);
  EXPECT_EQ(Row().samples[2].method, Method::kPassive);
}

TEST_F(SilentClientTest, MovesOnUntilItsConnectionsAreShortest) {
  Hear(2, 50);
  EXPECT_EQ(Row().decision.replica, ToReplicaId(1)) << "by its neighbours";
  EXPECT_EQ(Row().decision.reason, Reason::kNeighbour);
  Hear(1, 40);
  EXPECT_EQ(Row().decision.replica, ToReplicaId(0));
  Hear(0, 55);
  EXPECT_EQ(Row().decision.replica, ToReplicaId(1)) << "by its own";
  EXPECT_EQ(Row().decision.reason, Reason::kMeasuredBest);
}

TEST_F(SilentClientTest, IsSoughtByItsOwnConnectionsWhenItsNeighboursAreElsewhere) {
  fleet_.SetDistance(ToReplicaId(0), ToReplicaId(1), milliseconds(150));
  fleet_.SetDistance(ToReplicaId(0), ToReplicaId(2), milliseconds(180));
  fleet_.SetDistance(ToReplicaId(1), ToReplicaId(2), milliseconds(60));
  Hear(2, 190);
  EXPECT_EQ(Row().decision.replica, ToReplicaId(0)) << "10 ms are possible, 130 at the least from replica 1";
  EXPECT_EQ(Row().decision.reason, Reason::kNeighbour);
  Hear(0, 20);
  EXPECT_EQ(Row().decision.replica, ToReplicaId(0));
  EXPECT_EQ(Row().decision.reason, Reason::kMeasuredBest);
}

TEST_F(SilentClientTest, SilenceTakesNothingFromWhatItsConnectionsSaid) {
  Hear(2, 15);
  board_->Refresh(KeyOf(kClient));
  Pass(100);
  for (int i = 0; i < 3; ++i) board_->OnAnswer(3, ToReplicaId(i), {Rtt{}, Method::kSilent});
  EXPECT_EQ(Row().samples[2].rtt, milliseconds(15));
  EXPECT_EQ(Row().decision.replica, ToReplicaId(2));
}

TEST_F(FlightBoardTest, ConnectionsOfAnUnknownClientSayNothing) {
  const PassiveRtt rtt{ClientPrefix(kClient), milliseconds(1)};
  board_->OnPassive(ToReplicaId(1), {&rtt, 1});
  EXPECT_EQ(map_.size(), 0u);
  EXPECT_EQ(counters_.passive[PassiveUse::kUnknownClient].value(), 1u);
}

TEST_F(FlightBoardTest, AShorterConnectionCorrectsAProbe) {
  Park();
  Pass(120);
  Answer(0, 40);
  Answer(1, 30);
  Answer(2, 50);
  const PassiveRtt rtt{ClientPrefix(kClient), milliseconds(12)};
  board_->OnPassive(ToReplicaId(0), {&rtt, 1});
  EXPECT_EQ(Row().decision.replica, ToReplicaId(0));
  EXPECT_EQ(Row().samples[0].method, Method::kPassive);
}

TEST_F(FlightBoardTest, WhoMayNotBeProbedIsAnsweredAtOnceWithoutAProbe) {
  permit_ = absl::PermissionDeniedError("bogon");
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
class RefinementTest : public FlightBoardTest {
 protected:
  RefinementTest() {
    Make({.refinement_probes = 5});
    fleet_.SetDistance(ToReplicaId(0), ToReplicaId(2), milliseconds(200));
    Park();
    Pass(120);
    Answer(0, 20);
    Answer(1, 30);
    EXPECT_EQ(last_probes_, 1u);
    EXPECT_EQ(calls_.size(), 3u);
    Answer(2, 110);
  }
};

TEST_F(RefinementTest, ThoseWhoMayBeNearestProbeAgainAndTheLeastCounts) {
  EXPECT_EQ(calls_, (std::vector<std::pair<uint64_t, ReplicaId>>{{1, ToReplicaId(0)},
                                                                 {1, ToReplicaId(1)},
                                                                 {1, ToReplicaId(2)},
                                                                 {2, ToReplicaId(0)},
                                                                 {2, ToReplicaId(1)}}));
  EXPECT_EQ(last_probes_, 5u);
  Pass(500);
  Answer(0, 25, 2);
  Answer(1, 8, 2);  // its first sample had waited 22 ms somewhere
  EXPECT_EQ(Row().samples[0].rtt, milliseconds(20));
  EXPECT_EQ(Row().samples[1].rtt, milliseconds(8));
  EXPECT_EQ(Row().samples[2].rtt, milliseconds(110));
  EXPECT_EQ(Row().decision.replica, ToReplicaId(1));
  EXPECT_EQ(board_->flights(), 0u) << "it is not refined again";
  EXPECT_EQ(counters_.started[FlightCause::kRefinement].value(), 1u);
}

TEST_F(RefinementTest, AStrangerIsMovedByALittleAndThenNoMore) {
  Pass(500);
  Answer(0, 20, 2);
  Answer(1, 18, 2);
  EXPECT_EQ(Row().decision.replica, ToReplicaId(1));
  board_->Refresh(KeyOf(kClient));
  Pass(120);
  Answer(0, 16, 3);
  Answer(1, 18, 3);
  Answer(2, 110, 3);
  EXPECT_EQ(Row().decision.replica, ToReplicaId(1)) << "hysteresis";
  Pass(500);
  Answer(0, 15, 4);
  Answer(1, 18, 4);
  EXPECT_EQ(Row().decision.replica, ToReplicaId(1));
}

TEST_F(RefinementTest, AQueryThatComesAtItsBeginningDoesNotWaitForIt) {
  answers_.clear();
  Park();
  ASSERT_EQ(answers_.size(), 1u);
  EXPECT_EQ(answers_[0].replica, ToReplicaId(0));
}

TEST_F(RefinementTest, QueriesMeanwhileAreAnsweredByWhatIsKnown) {
  answers_.clear();
  Pass(2500);  // the row is not just measured any more
  Park();
  Answer(0, 21, 2);
  Answer(1, 31, 2);
  ASSERT_EQ(answers_.size(), 1u);
  EXPECT_EQ(answers_[0].replica, ToReplicaId(0));
}

TEST_F(RefinementTest, SilenceTakesNothingAway) {
  Pass(500);
  for (const int replica : {0, 1}) board_->OnAnswer(2, ToReplicaId(replica), {Rtt{}, Method::kSilent});
  EXPECT_EQ(Row().samples[0].rtt, milliseconds(20));
  EXPECT_EQ(Row().samples[1].rtt, milliseconds(30));
}

TEST_F(FlightBoardTest, WhoeverMayNotBeProbedAgainIsNotRefined) {
  Make({.refinement_probes = 5});
  Park();
  Pass(120);
  Answer(0, 20);
  Answer(1, 30);
  permit_ = absl::ResourceExhaustedError("budget");
  Answer(2, 40);
  EXPECT_EQ(calls_.size(), 3u);
  EXPECT_EQ(board_->flights(), 0u);
  EXPECT_TRUE(Known());
}

TEST_F(FlightBoardTest, InAFloodFewAreRefined) {
  Make({.max_flights = 16, .refinement_probes = 5});
  for (uint8_t i = 0; i < 10; ++i) {
    const uint8_t bytes[4] = {198, 18, i, 1};
    Park(IpAddress::V4(bytes));
  }
  Pass(120);
  for (uint64_t flight = 1; flight <= 10; ++flight) {
    for (int replica = 0; replica < 3; ++replica) Answer(replica, 20, flight);
  }
  EXPECT_EQ(answers_.size(), 10u);
  EXPECT_EQ(board_->flights(), 2u) << "an eighth of 16";
  EXPECT_EQ(counters_.started[FlightCause::kRefinement].value(), 2u);
}

TEST_F(FlightBoardTest, ARefreshThatMeasuresNothingKeepsWhatWasKnown) {
  Park();
  Pass(120);
  for (int i = 0; i < 3; ++i) Answer(i, 20 + i);
  board_->Refresh(KeyOf(kClient));
  Pass(10'000);
  EXPECT_EQ(Row().decision.replica, ToReplicaId(0));
  EXPECT_EQ(Row().samples[0].rtt, milliseconds(20));
}

TEST_F(FlightBoardTest, ANetworkThatAResolverToldIsRememberedByItsOwnLength) {
  const ClientKey wide = KeyOf(*IpPrefix::Parse("198.18.0.0/20"));
  board_->Park(wide, [](const FlightOutcome*) {});
  EXPECT_EQ(last_client_, *IpAddress::Parse("198.18.0.1"));
  Pass(120);
  for (int i = 0; i < 3; ++i) Answer(i, 20 + i);
  MapRow row;
  EXPECT_TRUE(map_.Find(wide.prefix, &row));
  EXPECT_FALSE(Known()) << "of the /24s in it nothing is known";
}

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
