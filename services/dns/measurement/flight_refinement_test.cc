// The second flight behind the first.
#include "services/dns/measurement/testing_board.h"

namespace perigee::dns {
namespace {

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
  permit_.verdict = absl::ResourceExhaustedError("budget");
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

}  // namespace
}  // namespace perigee::dns
