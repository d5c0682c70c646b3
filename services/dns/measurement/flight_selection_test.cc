// Flights of fleets that are too large for all replicas to be asked.
#include <algorithm>

#include "services/dns/measurement/testing_board.h"
#include "services/dns/measurement/testing_permit.h"

namespace perigee::dns {
namespace {

constexpr size_t kFleet = 100, kAsked = 8;

// Replicas in a row, 10 ms from each to the next, and a client somewhere on it; 20 ms to every prober.
class LargeFleetTest : public testing::Test, public ProberCalls {
 protected:
  LargeFleetTest() {
    for (size_t i = 0; i < kFleet; ++i) {
      fleet_.SetControlRtt(ToReplicaId(i), milliseconds(20));
      for (const ReplicaId to : fleet_.landmarks()) {
        if (Index(to) != i) fleet_.SetDistance(ToReplicaId(i), to, Apart(i, Index(to)));
      }
    }
  }

  static Rtt Apart(size_t a, size_t b) { return milliseconds(10 * (std::max(a, b) - std::min(a, b))); }

  static std::vector<ReplicaInfo> Infos() {
    std::vector<ReplicaInfo> infos(kFleet);
    for (size_t i = 0; i < kFleet; ++i) infos[i].name = fmt::format("r{}", i);
    return infos;
  }

  void Measure(uint64_t flight, ReplicaId replica, const IpAddress&, uint32_t probes,
               std::chrono::milliseconds) override {
    if (probes > 1) return refined_.Add(replica);
    asked_.Add(replica);
    const Rtt rtt = Apart(Index(replica), client_at_) + milliseconds(2);
    pending_.emplace(clock_.Now() + milliseconds(20) + rtt, std::pair(flight, replica));
  }

  // Lets every answer come at its time.
  void Fly() {
    while (!pending_.empty()) {
      const auto [when, call] = *pending_.begin();
      pending_.erase(pending_.begin());
      for (auto due = board_.next_due(); due && *due < when; due = board_.next_due()) {
        clock_.Advance(*due - clock_.Now());
        board_.OnTime();
      }
      clock_.Advance(when - clock_.Now());
      const Rtt rtt = Apart(Index(call.second), client_at_) + milliseconds(2);
      board_.OnAnswer(call.first, call.second,
                      silent_ ? Sample{Rtt{}, Method::kSilent} : Sample{rtt, Method::kIcmpEcho});
    }
  }
  void Park(const IpAddress& client = kClient) {
    board_.Park(KeyOf(client), [this](const FlightOutcome* outcome) {
      if (outcome != nullptr) answers_.push_back(outcome->decision);
    });
  }

  FakeClock clock_;
  FleetState fleet_{Infos()};
  RttMap map_{kFleet, 1000, MonoTime{}};
  size_t client_at_ = 37;
  bool silent_ = false;
  std::multimap<MonoTime, std::pair<uint64_t, ReplicaId>> pending_;
  ReplicaSet asked_, refined_;
  std::vector<Decision> answers_;
  OpenPermit permit_;
  FlightBoard board_{{.max_asked = kAsked}, fleet_, map_, *this, clock_, permit_};
};

TEST_F(LargeFleetTest, AsksHalfAtFirstAndNeverMoreThanItMay) {
  Park();
  EXPECT_EQ(asked_.size(), static_cast<int>(kAsked / 2));
  Fly();
  EXPECT_LE(asked_.size(), static_cast<int>(kAsked));
  EXPECT_EQ(board_.flights(), 0u);
}

TEST_F(LargeFleetTest, FindsTheReplicaNextToAStranger) {
  for (const size_t place : {5u, 37u, 64u, 98u}) {
    client_at_ = place;
    asked_ = {};
    const uint8_t bytes[] = {198, 18, static_cast<uint8_t>(place), 1};
    Park(IpAddress::V4(bytes));
    Fly();
    MapRow row;
    ASSERT_TRUE(map_.Find(ClientPrefix(IpAddress::V4(bytes)), &row));
    EXPECT_EQ(Index(row.decision.replica), place);
  }
}

TEST_F(LargeFleetTest, AsksTheNeighboursBestOfTheNextStranger) {
  Park();
  Fly();
  asked_ = {};
  Park(*IpAddress::Parse("198.18.99.1"));
  EXPECT_TRUE(asked_.Contains(ToReplicaId(client_at_))) << "at once";
}

TEST_F(LargeFleetTest, AsksAKnownClientsHomeAgain) {
  Park();
  Fly();
  asked_ = {};
  board_.Refresh(KeyOf(kClient));
  EXPECT_TRUE(asked_.Contains(answers_.front().replica));
  Fly();
  EXPECT_LE(asked_.size(), static_cast<int>(kAsked));
}

TEST_F(LargeFleetTest, DoesNotAskMoreOfAClientSilentToTheFirst) {
  silent_ = true;
  Park();
  Fly();
  EXPECT_EQ(asked_.size(), static_cast<int>(kAsked / 2));
  ASSERT_EQ(answers_.size(), 1u);
  EXPECT_EQ(answers_[0].reason, Reason::kHashed);
}

TEST_F(LargeFleetTest, ReplicasThatAreDownAreNotAsked) {
  for (const ReplicaId id : fleet_.landmarks()) fleet_.SetUp(Part::kProber, id, false);
  Park();
  Fly();
  EXPECT_FALSE(asked_.empty());
  EXPECT_TRUE(asked_.And(fleet_.landmarks()).empty());
}

TEST_F(LargeFleetTest, WhatWasNotAskedKeepsWhatWasKnown) {
  Park();
  Fly();
  MapRow before, after;
  ASSERT_TRUE(map_.Find(ClientPrefix(kClient), &before));
  client_at_ = 90;
  board_.Refresh(KeyOf(kClient));
  Fly();
  ASSERT_TRUE(map_.Find(ClientPrefix(kClient), &after));
  EXPECT_GE(Index(after.decision.replica), 89u) << "it has moved";
}

}  // namespace
}  // namespace perigee::dns
