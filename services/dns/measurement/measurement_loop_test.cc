#include "services/dns/measurement/measurement_loop.h"

#include "gtest/gtest.h"
#include "services/dns/measurement/testing_permit.h"

namespace perigee::dns {
namespace {

const ClientKey kClient = KeyOf(*IpAddress::Parse("198.18.7.7"));

// A loop that nobody runs until the test does, and no prober to ask: what reaches the board is answered at
// once.
class MeasurementLoopTest : public testing::Test {
 protected:
  MeasurementLoopTest() { fleet_.SetUp(Part::kProber, ToReplicaId(0), false); }

  void Park() {
    loop_.Park(kClient,
               [this](const FlightOutcome* outcome) { ++(outcome == nullptr ? dropped_ : answered_); });
  }

  boost::asio::io_context io_;
  FakeClock clock_;
  FleetState fleet_{{{.name = "a"}}};
  RttMap map_{1, 1000, clock_.Now()};
  ProberClient probers_{{}};
  MeasurementCounters counters_;
  OpenPermit permit_;
  MeasurementLoop loop_{io_, {}, fleet_, map_, probers_, clock_, permit_, &counters_};
  int dropped_ = 0;
  int answered_ = 0;
};

TEST_F(MeasurementLoopTest, QueriesBeyondTheBacklogAreDroppedAtOnce) {
  for (int i = 0; i < MeasurementLoop::kMaxBacklog; ++i) Park();
  EXPECT_EQ(dropped_, 0);
  Park();
  EXPECT_EQ(dropped_, 1);
  EXPECT_EQ(answered_, 0);
  EXPECT_EQ(counters_.backlog_full.value(), 1u);
}

TEST_F(MeasurementLoopTest, RefreshesCountAsBacklogToo) {
  for (int i = 0; i < MeasurementLoop::kMaxBacklog; ++i) loop_.Refresh(kClient);
  Park();
  EXPECT_EQ(dropped_, 1);
}

TEST_F(MeasurementLoopTest, AFloodOfBeaconsLeavesRoomForQueries) {
  const auto token = *BeaconToken::Parse("0123456789-abcdef");
  for (int i = 0; i < 2 * MeasurementLoop::kMaxBacklog; ++i) loop_.NoteBeacon(token, kClient.prefix);
  EXPECT_EQ(counters_.backlog_full.value(), 0u) << "of queries";
  const int room = MeasurementLoop::kMaxBacklog - MeasurementLoop::kMaxBacklogForBeacons;
  for (int i = 0; i < room; ++i) Park();
  EXPECT_EQ(dropped_, 0);
  Park();
  EXPECT_EQ(dropped_, 1);
}

TEST_F(MeasurementLoopTest, ALoopThatHasCaughtUpTakesQueriesAgain) {
  for (int i = 0; i < MeasurementLoop::kMaxBacklog; ++i) Park();
  for (int i = 0; i < 10; ++i) loop_.Refresh(kClient);  // dropped, and not counted
  io_.poll();
  EXPECT_EQ(answered_, MeasurementLoop::kMaxBacklog);
  for (int i = 0; i < MeasurementLoop::kMaxBacklog; ++i) Park();
  EXPECT_EQ(dropped_, 0);
  Park();
  EXPECT_EQ(dropped_, 1);
}

}  // namespace
}  // namespace perigee::dns
