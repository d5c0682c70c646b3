#include "services/replica/fetch/flight_table.h"

#include <gtest/gtest.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>

namespace perigee::replica {
namespace {

constexpr std::chrono::milliseconds kHold{500};

class FlightTableTest : public ::testing::Test {
 protected:
  FlightTable table_{100, 1'000, kHold};
};

TEST_F(FlightTableTest, OneLeadsOthersJoinUntilTheLeaseEnds) {
  auto leader = table_.Join("k");
  ASSERT_TRUE(leader.lease);
  EXPECT_EQ(table_.Join("k").joined, leader.lease->flight());
  EXPECT_TRUE(table_.Join("other").lease);
  const auto flight = leader.lease->flight();
  FlightState state = FlightState::kWaiting;
  const auto wait = [](Flight& waited, Executor executor, FlightState* out) -> Task<> {
    *out = co_await waited.AwaitHead(executor);
  };
  asio::io_context io{1};
  asio::co_spawn(io, wait(*flight, io.get_executor(), &state), asio::detached);
  io.poll();
  EXPECT_EQ(state, FlightState::kWaiting);
  leader.lease.reset();
  io.poll();
  EXPECT_EQ(state, FlightState::kFailed) << "a leader that gives up leaves nobody waiting";
  EXPECT_EQ(table_.size(), 0u);
}

TEST_F(FlightTableTest, AFailureIsHeldForThoseWhoComeShortlyAfter) {
  const MonoTime now(std::chrono::hours(1));
  auto leader = table_.Join("k", now);
  leader.lease->Fail(FetchError::kConnect, now);
  leader.lease.reset();
  const auto late = table_.Join("k", now + kHold - std::chrono::milliseconds(1));
  ASSERT_TRUE(late.joined);
  EXPECT_EQ(late.joined->error(), FetchError::kConnect);
  EXPECT_TRUE(table_.Join("other", now).lease);
  EXPECT_TRUE(table_.Join("k", now + kHold).lease) << "the origin is asked again";
}

TEST_F(FlightTableTest, WhatWasKeptFromTheOriginIsNotHeldNorWhatChanged) {
  const MonoTime now(std::chrono::hours(1));
  for (const FetchError error : {FetchError::kCircuitOpen, FetchError::kTooManyOrigin}) {
    table_.Join("k", now).lease->Fail(error, now);
    EXPECT_EQ(table_.size(), 0u) << Name(error);
  }
  table_.Join("k", now).lease->Fail(FetchError::kConnect, now);
  table_.Invalidate("k");
  EXPECT_TRUE(table_.Join("k", now).lease);
}

TEST_F(FlightTableTest, NoMoreFailuresAreHeldThanTheLimit) {
  const MonoTime now(std::chrono::hours(1));
  for (size_t i = 0; i <= FlightTable::kMaxHeldFailures; ++i) {
    table_.Join(std::to_string(i), now).lease->Fail(FetchError::kConnect, now);
  }
  EXPECT_EQ(table_.size(), FlightTable::kMaxHeldFailures);
  EXPECT_TRUE(table_.Join("0", now).lease) << "the oldest was let go";
  EXPECT_TRUE(table_.Join("1", now).joined);
}

TEST_F(FlightTableTest, NobodyWaitsForAnAnswerThatWillBeForItsOwnRequestAlone) {
  const MonoTime now(std::chrono::hours(1));
  const MonoTime end = now + FlightTable::kAloneHold;
  table_.Join("k", now).lease->GoAlone(/*lasting=*/true, now);
  for (int i = 0; i < 2; ++i) {
    auto alone = table_.Join("k", end - std::chrono::milliseconds(1));
    ASSERT_TRUE(alone.lease);
    alone.lease->GoAlone(/*lasting=*/true, end - std::chrono::milliseconds(1));
  }
  const auto other = table_.Join("other", now), leader = table_.Join("k", end);
  EXPECT_TRUE(table_.Join("other", now).joined);
  EXPECT_TRUE(table_.Join("k", end).joined) << "who was alone does not prolong it";
}

TEST_F(FlightTableTest, OthersWaitAgainOnceAnAnswerIsForThemOrTheOriginFails) {
  const MonoTime now(std::chrono::hours(1));
  const auto go_alone = [&](bool lasting) { table_.Join("k", now).lease->GoAlone(lasting, now); };
  const auto is_joined = [&] {
    const auto first = table_.Join("k", now), second = table_.Join("k", now);
    return second.joined != nullptr;
  };
  go_alone(/*lasting=*/false);
  EXPECT_TRUE(is_joined());
  go_alone(true);
  EXPECT_FALSE(is_joined());
  {
    const auto shared = table_.Join("k", now);
    shared.lease->flight()->Publish({});
    table_.Supersede("k", *shared.lease->flight());
  }
  EXPECT_TRUE(is_joined());
  go_alone(true);
  table_.Join("k", now).lease->Fail(FetchError::kConnect, now);
  EXPECT_TRUE(is_joined());
}

TEST_F(FlightTableTest, InvalidatedFlightIsNeitherJoinedNorStored) {
  auto first = table_.Join("k");
  first.lease->flight()->Publish({});
  table_.Invalidate("k");
  EXPECT_EQ(first.lease->flight()->WholeBody(), nullptr);
  auto second = table_.Join("k");
  ASSERT_TRUE(second.lease);
  first.lease.reset();
  EXPECT_EQ(table_.Join("k").joined, second.lease->flight()) << "the old lease does not end the new flight";
}

TEST_F(FlightTableTest, SoloFlightsAreJoinedByNobodyAndInvalidatedByTheirKey) {
  const auto changed = table_.Solo("k"), too = table_.Solo("k"), other = table_.Solo("x");
  for (const auto* lease : {&changed, &too, &other}) lease->flight()->Publish({});
  EXPECT_TRUE(table_.Join("k").lease);
  table_.Invalidate("k");
  EXPECT_FALSE(changed.flight()->storable());
  EXPECT_FALSE(too.flight()->storable());
  EXPECT_TRUE(other.flight()->storable());
}

TEST_F(FlightTableTest, ARetiredFlightIsJoinedByNobodyAndInvalidatedByItsKey) {
  auto first = table_.Join("k");
  first.lease->flight()->Publish({});
  table_.Retire("k", first.lease->flight());
  auto second = table_.Join("k");
  ASSERT_TRUE(second.lease);
  table_.Retire("k", first.lease->flight());
  EXPECT_EQ(table_.Join("k").joined, second.lease->flight()) << "another's place is not taken";
  table_.Invalidate("k");
  EXPECT_FALSE(first.lease->flight()->storable());
}

TEST_F(FlightTableTest, ANewerResponseIsStoredInPlaceOfTheSameVariantsOlderOnes) {
  const auto old = table_.Join("k"), other_key = table_.Join("x");
  const auto alone = table_.Solo("k"), variant = table_.Solo("k"), part = table_.Solo("k"),
             waiting = table_.Solo("k"), newer = table_.Solo("k");
  for (const auto* lease : {&*old.lease, &*other_key.lease, &alone, &newer}) lease->flight()->Publish({});
  variant.flight()->Publish({.vary_names = "a", .variant_key = "b\n"});
  part.flight()->Publish({.head = {.status = 206}});
  table_.Supersede("k", *newer.flight());
  EXPECT_FALSE(old.lease->flight()->storable());
  EXPECT_FALSE(alone.flight()->storable());
  for (const auto* lease : {&*other_key.lease, &variant, &part, &waiting, &newer}) {
    EXPECT_TRUE(lease->flight()->storable());
  }
}

TEST_F(FlightTableTest, TheFailureOfASoloFlightIsItsOwn) {
  const MonoTime now(std::chrono::hours(1));
  table_.Solo("k").Fail(FetchError::kConnect, now);
  EXPECT_TRUE(table_.Join("k", now).lease);
}

TEST_F(FlightTableTest, APurgeDetachesWhatItMeansAndWhatItMayMean) {
  auto waiting = table_.Join("k1");
  auto tagged = table_.Join("k2");
  tagged.lease->flight()->Publish({.head = {.tags = "news"}});
  auto other = table_.Join("k3");
  other.lease->flight()->Publish({.head = {.tags = "sport"}});
  table_.Detach({.keys = {"k4"}, .prefixes = {"x"}});
  EXPECT_EQ(table_.size(), 3u);
  table_.Detach({.tags = {"news"}});
  EXPECT_TRUE(table_.Join("k1").lease) << "its tags are not known yet";
  EXPECT_TRUE(table_.Join("k2").lease);
  EXPECT_EQ(table_.Join("k3").joined, other.lease->flight());
  EXPECT_NE(other.lease->flight()->WholeBody(), nullptr);
  table_.Detach({.keys = {"k3"}});
  EXPECT_TRUE(table_.Join("k3").lease);
}

}  // namespace
}  // namespace perigee::replica
