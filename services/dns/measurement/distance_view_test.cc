#include "services/dns/measurement/distance_view.h"

#include "gtest/gtest.h"

namespace perigee::dns {
namespace {

using std::chrono::milliseconds;

const ReplicaId kA{0}, kB{1};

class DistanceViewTest : public testing::Test {
 protected:
  void Make(size_t replicas) {
    fleet_.emplace(std::vector<ReplicaInfo>(replicas));
    view_.emplace(*fleet_, clock_);
    EXPECT_EQ(view_->shorter().Between(kA, kB), Rtt::zero());
  }

  FakeClock clock_;
  std::optional<FleetState> fleet_;
  std::optional<DistanceView> view_;
};

TEST_F(DistanceViewTest, ShowsWhatHasChangedAtOnce) {
  Make(3);
  fleet_->SetDistance(kA, kB, milliseconds(20));
  fleet_->SetDistance(kB, kA, milliseconds(30));
  EXPECT_EQ(view_->shorter().Between(kA, kB), milliseconds(20));
  EXPECT_EQ(view_->longer().Between(kA, kB), milliseconds(30));
}

TEST_F(DistanceViewTest, OfALargeFleetWithinASecond) {
  Make(kWholeFleet + 1);
  fleet_->SetDistance(kA, kB, milliseconds(20));
  EXPECT_EQ(view_->shorter().Between(kA, kB), Rtt::zero());
  clock_.Advance(kDistancesAge);
  EXPECT_EQ(view_->shorter().Between(kA, kB), milliseconds(20));
}

}  // namespace
}  // namespace perigee::dns
