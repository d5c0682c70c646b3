#include "services/replica/fetch/flight.h"

#include <gmock/gmock.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>

namespace perigee::replica {
namespace {

// Runs coroutines on one io_context until all of them wait or have ended: no time passes.
constexpr std::chrono::milliseconds kHold{500};

class FlightTest : public ::testing::Test {
 protected:
  void Spawn(Task<> task) { asio::co_spawn(io_, std::move(task), asio::detached); }
  void Run() {
    io_.restart();
    while (io_.poll() > 0) {
    }
  }
  Executor executor() { return io_.get_executor(); }

  Task<> Produce(Flight& flight, int pieces, size_t size, int* done) {
    for (*done = 0; *done < pieces; ++*done) {
      std::string piece(size, 'x');
      const bool wanted = co_await flight.Append(executor(), std::move(piece));
      if (!wanted) co_return;
    }
    flight.Finish();
  }
  // Reads at most `pieces`; counts the bytes.
  Task<> Consume(Flight::Reader& reader, int pieces, size_t* bytes, FetchError* error) {
    for (int i = 0; i < pieces; ++i) {
      const Flight::Reader::Piece piece = co_await reader.Next(executor());
      *error = piece.error;
      if (!piece.chunk) co_return;
      *bytes += piece.chunk->size();
    }
  }

  asio::io_context io_{1};
  FlightMemory memory_{1'000};
  FlightTable table_{100, 1'000, kHold};
};

TEST_F(FlightTest, BodyWithinTheWindowIsKeptForLateReaders) {
  const auto flight = std::make_shared<Flight>(100, memory_);
  flight->Publish({});
  int produced = 0;
  Spawn(Produce(*flight, 10, 10, &produced));
  Run();
  EXPECT_EQ(produced, 10) << "nobody reads, and nobody needs to";
  Flight::Reader late(flight);
  size_t bytes = 0;
  FetchError error = FetchError::kClosed;
  Spawn(Consume(late, 100, &bytes, &error));
  Run();
  EXPECT_EQ(bytes, 100u);
  EXPECT_EQ(error, FetchError::kNone);
  ASSERT_NE(flight->WholeBody(), nullptr);
  EXPECT_EQ(*flight->WholeBody(), std::string(100, 'x'));
}

TEST_F(FlightTest, BeyondTheWindowTheFastestReaderSetsThePaceAndTheSlowIsCutOff) {
  const auto flight = std::make_shared<Flight>(100, memory_);
  flight->Publish({});
  Flight::Reader fast(flight), slow(flight);
  int produced = 0;
  size_t fast_bytes = 0, slow_bytes = 0;
  FetchError fast_error{}, slow_error{};
  Spawn(Produce(*flight, 50, 10, &produced));
  Run();
  EXPECT_EQ(produced, 10) << "the window is full, and the fastest has read nothing";
  EXPECT_TRUE(flight->windowed());
  EXPECT_EQ(flight->WholeBody(), nullptr);
  Spawn(Consume(slow, 1, &slow_bytes, &slow_error));
  Spawn(Consume(fast, 5, &fast_bytes, &fast_error));
  Run();
  EXPECT_EQ(produced, 15);
  EXPECT_EQ(memory_.used(), 100u);
  Spawn(Consume(fast, 100, &fast_bytes, &fast_error));
  Run();
  EXPECT_EQ(fast_bytes, 500u);
  EXPECT_EQ(fast_error, FetchError::kNone);
  Spawn(Consume(slow, 1, &slow_bytes, &slow_error));
  Run();
  EXPECT_EQ(slow_error, FetchError::kFellBehind);
  EXPECT_LE(memory_.used(), 100u);
}

TEST_F(FlightTest, WithoutReadersAWindowedFetchEnds) {
  const auto flight = std::make_shared<Flight>(100, memory_);
  flight->Publish({});
  int produced = 0;
  auto reader = std::make_unique<Flight::Reader>(flight);
  Spawn(Produce(*flight, 50, 10, &produced));
  Run();
  EXPECT_EQ(produced, 10);
  reader.reset();
  Run();
  EXPECT_EQ(produced, 10);
  EXPECT_EQ(flight.use_count(), 1);
}

TEST_F(FlightTest, MemoryOfAllFlightsIsBoundedAndGivenBack) {
  FlightMemory little(50);
  {
    const auto flight = std::make_shared<Flight>(100, little);
    flight->Publish({});
    Flight::Reader reader(flight);
    int produced = 0;
    Spawn(Produce(*flight, 10, 10, &produced));
    Run();
    EXPECT_EQ(produced, 5);
    EXPECT_EQ(little.used(), 50u);
    size_t bytes = 0;
    FetchError error{};
    Spawn(Consume(reader, 100, &bytes, &error));
    Run();
    EXPECT_EQ(bytes, 100u);
  }
  EXPECT_EQ(little.used(), 0u);
}

TEST_F(FlightTest, FailureReachesReadersAfterWhatCameBefore) {
  const auto flight = std::make_shared<Flight>(100, memory_);
  flight->Publish({});
  Flight::Reader reader(flight);
  size_t bytes = 0;
  FetchError error{};
  Spawn([](Flight& filled, Executor executor) -> Task<> {
    std::string piece = "half";
    co_await filled.Append(executor, std::move(piece));
    filled.Fail(FetchError::kCutShort);
  }(*flight, executor()));
  Run();
  Spawn(Consume(reader, 100, &bytes, &error));
  Run();
  EXPECT_EQ(bytes, 4u);
  EXPECT_EQ(error, FetchError::kCutShort);
}

TEST_F(FlightTest, OneLeadsOthersJoinUntilTheLeaseEnds) {
  auto leader = table_.Join("k");
  ASSERT_TRUE(leader.lease);
  EXPECT_EQ(table_.Join("k").joined, leader.lease->flight());
  EXPECT_TRUE(table_.Join("other").lease);
  const auto flight = leader.lease->flight();
  FlightState state = FlightState::kWaiting;
  Spawn([](Flight& waited, Executor executor, FlightState* out) -> Task<> {
    *out = co_await waited.AwaitHead(executor);
  }(*flight, executor(), &state));
  Run();
  EXPECT_EQ(state, FlightState::kWaiting);
  leader.lease.reset();
  Run();
  EXPECT_EQ(state, FlightState::kFailed) << "a leader that gives up leaves nobody waiting";
  EXPECT_EQ(table_.size(), 0u);
}

TEST_F(FlightTest, AFailureIsHeldForThoseWhoComeShortlyAfter) {
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

TEST_F(FlightTest, WhatWasKeptFromTheOriginIsNotHeldNorWhatChanged) {
  const MonoTime now(std::chrono::hours(1));
  for (const FetchError error : {FetchError::kCircuitOpen, FetchError::kTooManyOrigin}) {
    table_.Join("k", now).lease->Fail(error, now);
    EXPECT_EQ(table_.size(), 0u) << Name(error);
  }
  table_.Join("k", now).lease->Fail(FetchError::kConnect, now);
  table_.Invalidate("k");
  EXPECT_TRUE(table_.Join("k", now).lease);
}

TEST_F(FlightTest, NoMoreFailuresAreHeldThanTheLimit) {
  const MonoTime now(std::chrono::hours(1));
  for (size_t i = 0; i <= FlightTable::kMaxHeldFailures; ++i) {
    table_.Join(std::to_string(i), now).lease->Fail(FetchError::kConnect, now);
  }
  EXPECT_EQ(table_.size(), FlightTable::kMaxHeldFailures);
  EXPECT_TRUE(table_.Join("0", now).lease) << "the oldest was let go";
  EXPECT_TRUE(table_.Join("1", now).joined);
}

TEST_F(FlightTest, InvalidatedFlightIsNeitherJoinedNorStored) {
  auto first = table_.Join("k");
  first.lease->flight()->Publish({});
  table_.Invalidate("k");
  EXPECT_EQ(first.lease->flight()->WholeBody(), nullptr);
  auto second = table_.Join("k");
  ASSERT_TRUE(second.lease);
  first.lease.reset();
  EXPECT_EQ(table_.Join("k").joined, second.lease->flight()) << "the old lease does not end the new flight";
}

TEST_F(FlightTest, APurgeDetachesWhatItMeansAndWhatItMayMean) {
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
