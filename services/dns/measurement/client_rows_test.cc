// What flights and connections teach, and what is inferred for clients that answer nothing.
#include "services/dns/measurement/testing_board.h"

namespace perigee::dns {
namespace {

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

// A fleet whose replicas' places are known, and a database that has all clients beside the second one.
class PlacedClientTest : public FlightBoardTest {
 protected:
  PlacedClientTest() {
    std::vector<ReplicaInfo> infos = {{.name = "dublin"}, {.name = "sydney"}, {.name = "tokyo"}};
    infos[0].location = {53.35, -6.26};
    infos[1].location = {-33.87, 151.21};
    infos[2].location = {35.68, 139.69};
    placed_.emplace(infos);
    board_.emplace(FlightOptions{.locate =
                                     [](const IpAddress&) {
                                       return Location{-37.81, 144.96};
                                     }},
                   *placed_, map_, *this, clock_, permit_, &counters_);
  }
  ~PlacedClientTest() override { board_.reset(); }
  void StaySilent(uint64_t flight) {
    Pass(100);
    for (int i = 0; i < 3; ++i) board_->OnAnswer(flight, ToReplicaId(i), {Rtt{}, Method::kSilent});
  }

  std::optional<FleetState> placed_;
};

TEST_F(PlacedClientTest, WhoIsSilentToAllGetsTheReplicaNearestToItsPlace) {
  Park();
  StaySilent(1);
  ASSERT_EQ(answers_.size(), 1u);
  EXPECT_EQ(answers_[0].replica, ToReplicaId(1));
  EXPECT_EQ(answers_[0].reason, Reason::kGeography);
  EXPECT_EQ(Row().decision.reason, Reason::kGeography);
  for (int i = 0; i < 3; ++i)
    EXPECT_FALSE(Row().samples[static_cast<size_t>(i)].measured()) << "nobody measured it";
}

TEST_F(PlacedClientTest, WhoIsNotMeasuredInTimeGetsItToo) {
  Park();
  Pass(500);
  ASSERT_EQ(answers_.size(), 1u);
  EXPECT_EQ(answers_[0].replica, ToReplicaId(1));
  EXPECT_EQ(answers_[0].reason, Reason::kGeography);
}

TEST_F(PlacedClientTest, NeighboursAreBelievedBeforeTheDatabase) {
  Park(*IpAddress::Parse("198.18.200.1"));
  Pass(60);
  for (int i = 0; i < 3; ++i) Answer(i, 30 + i);
  answers_.clear();
  Park();
  StaySilent(2);
  ASSERT_EQ(answers_.size(), 1u);
  EXPECT_EQ(answers_[0].replica, ToReplicaId(0));
  EXPECT_EQ(answers_[0].reason, Reason::kNeighbour);
}

TEST_F(PlacedClientTest, ItsOwnConnectionsAreBelievedBeforeTheDatabase) {
  Park();
  StaySilent(1);
  for (const ReplicaId id : {ToReplicaId(0), ToReplicaId(1), ToReplicaId(2)}) {
    for (const ReplicaId to : {ToReplicaId(0), ToReplicaId(1), ToReplicaId(2)}) {
      if (id != to) placed_->SetDistance(id, to, milliseconds(200));
    }
  }
  const PassiveRtt far{ClientPrefix(kClient), milliseconds(250)},
      near{ClientPrefix(kClient), milliseconds(12)};
  board_->OnPassive(ToReplicaId(1), {&far, 1});
  board_->OnPassive(ToReplicaId(0), {&near, 1});
  EXPECT_EQ(Row().decision.replica, ToReplicaId(0));
  EXPECT_EQ(Row().decision.reason, Reason::kMeasuredBest);
}

TEST_F(FlightBoardTest, AConnectionElsewhereTellsWhatTheClientsReplicaCosts) {
  Park();
  Pass(120);
  for (int i = 0; i < 3; ++i) Answer(i, 20 + 20 * i);
  const PassiveRtt nearer{ClientPrefix(kClient), milliseconds(8)},
      own{ClientPrefix(kClient), milliseconds(25)};
  board_->OnPassive(ToReplicaId(0), {&own, 1});
  const auto& lost = counters_.lost[static_cast<size_t>(Judged::kElsewhere)];
  EXPECT_EQ(lost.sum_us(), 0u) << "with its own replica";
  board_->OnPassive(ToReplicaId(1), {&nearer, 1});
  EXPECT_EQ(lost.sum_us(), 12'000u);
  EXPECT_EQ(Row().decision.replica, ToReplicaId(1));
}

}  // namespace
}  // namespace perigee::dns
