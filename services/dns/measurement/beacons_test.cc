// What beacons teach of resolvers whose clients are elsewhere.
#include <array>

#include "services/dns/measurement/testing_board.h"

namespace perigee::dns {
namespace {

using Rtts = std::array<int, 3>;  // in ms, by replica

const IpPrefix kResolver = ClientPrefix(kClient);
constexpr Rtts kAtResolver = {10, 100, 200};
constexpr Rtts kAtClients = {200, 100, 20};

class BeaconsTest : public FlightBoardTest {
 protected:
  // The resolver asks for the site, and is measured.
  void MeasureResolver() {
    Park();
    AnswerAll(kAtResolver);
  }
  // To the flight that was begun last.
  void AnswerAll(const Rtts& rtts) {
    const uint64_t flight = calls_.back().first;
    Pass(300);
    for (int i = 0; i < 3; ++i) Answer(i, rtts[static_cast<size_t>(i)], flight);
  }
  // A page is loaded there. True when the client is to be measured for it.
  bool Load(const IpAddress& client) {
    const auto token = *BeaconToken::Parse(fmt::format("0123456789-{:06}", ++loads_));
    board_->OnBeaconQuery(token, kResolver);
    const size_t before = calls_.size();
    const SeenBeacon seen{client, token};
    board_->OnBeacons({&seen, 1});
    return calls_.size() > before;
  }
  void LoadAndMeasure(const IpAddress& client, const Rtts& rtts = kAtClients) {
    ASSERT_TRUE(Load(client));
    AnswerAll(rtts);
  }
  static IpAddress Client(int network, int host = 1) {
    return *IpAddress::Parse(fmt::format("10.{}.{}.1", network, host));
  }

  int loads_ = 0;
};

TEST_F(BeaconsTest, AResolverIsGivenWhatIsBestForItsClients) {
  MeasureResolver();
  EXPECT_EQ(Row().decision.replica, ToReplicaId(0));
  LoadAndMeasure(Client(1));
  LoadAndMeasure(Client(2));
  EXPECT_EQ(Row().decision.replica, ToReplicaId(0)) << "two are no evidence";
  LoadAndMeasure(Client(3));
  EXPECT_EQ(Row().decision.replica, ToReplicaId(2));
  EXPECT_EQ(Row().decision.reason, Reason::kClientele);
  EXPECT_EQ(Row().samples[0].rtt, milliseconds(10)) << "of the resolver itself nothing else is known";
  EXPECT_EQ(counters_.beacons[BeaconUse::kJoined].value(), 3u);
}

TEST_F(BeaconsTest, AQueryForABeaconMeasuresNobody) {
  board_->OnBeaconQuery(*BeaconToken::Parse("0123456789-abcdef"), kResolver);
  EXPECT_TRUE(calls_.empty());
}

TEST_F(BeaconsTest, AConnectionThatNoQueryLedToIsNothing) {
  const SeenBeacon seen{Client(1), *BeaconToken::Parse("0123456789-abcdef")};
  board_->OnBeacons({&seen, 1});
  EXPECT_TRUE(calls_.empty());
  EXPECT_TRUE(permit_.connected.empty());
  EXPECT_EQ(counters_.beacons[BeaconUse::kUnasked].value(), 1u);
}

TEST_F(BeaconsTest, AClientIsMeasuredOnceAnHour) {
  LoadAndMeasure(Client(1));
  EXPECT_FALSE(Load(Client(1)));
  clock_.Advance(kBeaconSoftAge + milliseconds(2000));
  EXPECT_TRUE(Load(Client(1)));
}

TEST_F(BeaconsTest, AClientThatMayNotBeProbedSaysNothing) {
  MeasureResolver();
  permit_.verdict = absl::PermissionDeniedError("");
  for (int i = 1; i <= 5; ++i) EXPECT_FALSE(Load(Client(i)));
  EXPECT_EQ(Row().decision.replica, ToReplicaId(0));
}

TEST_F(BeaconsTest, TheResolverStaysWithItsClientsWhenItIsMeasuredAgain) {
  MeasureResolver();
  for (int i = 1; i <= 3; ++i) LoadAndMeasure(Client(i));
  board_->Refresh(KeyOf(kClient));
  AnswerAll(kAtResolver);
  EXPECT_EQ(Row().decision.replica, ToReplicaId(2));
  clock_.Advance(kSeatLife + milliseconds(2000));
  board_->Refresh(KeyOf(kClient));
  AnswerAll(kAtResolver);
  EXPECT_EQ(Row().decision.replica, ToReplicaId(0)) << "a day without beacons: it speaks for itself";
  EXPECT_EQ(Row().decision.reason, Reason::kMeasuredBest);
}

TEST_F(BeaconsTest, AResolverThatIsMeasuredAfterItsClientsIsGivenTheirsAtOnce) {
  for (int i = 1; i <= 3; ++i) LoadAndMeasure(Client(i));
  MeasureResolver();
  ASSERT_EQ(answers_.size(), 1u);
  EXPECT_EQ(answers_[0].replica, ToReplicaId(2));
  EXPECT_EQ(answers_[0].reason, Reason::kClientele);
}

TEST_F(BeaconsTest, WhatAClienteleCostsItsResolverIsNotLost) {
  MeasureResolver();
  for (int i = 1; i <= 3; ++i) LoadAndMeasure(Client(i));
  const auto& lost = counters_.lost[static_cast<size_t>(Judged::kRemembered)];
  const uint64_t before = lost.sum_us();
  board_->Refresh(KeyOf(kClient));
  AnswerAll(kAtResolver);
  EXPECT_EQ(lost.sum_us(), before);
}

// An attacker with an IPv6 /32 or an IPv4 /16, a name server in its own hands and as many connections as it
// likes.
TEST_F(BeaconsTest, OneNetworkCannotOutvoteClientsOfManyNetworks) {
  MeasureResolver();
  for (int i = 1; i <= 5; ++i) LoadAndMeasure(Client(i), {200, 20, 100});
  EXPECT_EQ(Row().decision.replica, ToReplicaId(1));
  for (int host = 1; host <= 50; ++host) LoadAndMeasure(Client(66, host), {200, 100, 1});
  EXPECT_EQ(Row().decision.replica, ToReplicaId(1));
}

TEST_F(BeaconsTest, SilentClientsMoveTheirResolverWithTheirConnections) {
  MeasureResolver();
  for (int i = 1; i <= 3; ++i) {
    ASSERT_TRUE(Load(Client(i)));
    const uint64_t flight = calls_.back().first;
    Pass(300);
    for (int j = 0; j < 3; ++j) board_->OnAnswer(flight, ToReplicaId(j), {Rtt{}, Method::kSilent});
  }
  EXPECT_EQ(Row().decision.reason, Reason::kMeasuredBest) << "nothing is known of them";
  const auto tell = [this](int replica, int ms) {
    for (int i = 1; i <= 3; ++i) {
      const PassiveRtt rtt{ClientPrefix(Client(i)), milliseconds(ms)};
      board_->OnPassive(ToReplicaId(replica), {&rtt, 1});
    }
  };
  tell(0, 110);
  EXPECT_EQ(Row().decision.reason, Reason::kMeasuredBest) << "nothing is known of other replicas";
  tell(1, 15);
  EXPECT_EQ(Row().decision.replica, ToReplicaId(1));
  EXPECT_EQ(Row().decision.reason, Reason::kClientele);
}

}  // namespace
}  // namespace perigee::dns
