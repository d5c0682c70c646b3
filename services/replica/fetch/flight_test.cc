#include "services/replica/fetch/flight.h"

#include <gmock/gmock.h>
#include <stdlib.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <filesystem>

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
      const auto piece = std::make_shared<const std::string>(size, 'x');
      const bool wanted = co_await flight.Append(executor(), piece);
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

TEST_F(FlightTest, WhatIsThereIsTakenWithoutWaiting) {
  const auto flight = std::make_shared<Flight>(100, memory_);
  flight->Publish({});
  Flight::Reader reader(flight);
  EXPECT_EQ(reader.TakeReady(), nullptr);
  int produced = 0;
  Spawn(Produce(*flight, 2, 10, &produced));
  Run();
  const Chunk first = reader.TakeReady();
  ASSERT_NE(first, nullptr);
  EXPECT_EQ(first->size(), 10u);
  size_t bytes = 0;
  FetchError error = FetchError::kClosed;
  Spawn(Consume(reader, 100, &bytes, &error));
  Run();
  EXPECT_EQ(bytes, 10u) << "the other piece";
  EXPECT_EQ(error, FetchError::kNone);
  EXPECT_EQ(reader.TakeReady(), nullptr) << "nothing is left";
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

// Nothing is written or read there: what a reader is told is under test.
class SpilledFlightTest : public FlightTest {
 protected:
  static constexpr size_t kPiece = 32'768;
  SpilledFlightTest() {
    std::string pattern = (std::filesystem::temp_directory_path() / "perigee-flight-XXXXXX").string();
    directory_ = mkdtemp(pattern.data());
    cache_ = *Cache::Open({.path = directory_ + "/cache.sqlite"}, clock_);
    flight_->Publish({});
    EXPECT_TRUE(flight_->Spill(cache_->BeginBody(0, nullptr)->body()).empty());
  }
  ~SpilledFlightTest() override {
    flight_.reset();
    cache_.reset();
    std::filesystem::remove_all(directory_);
  }
  // The next piece, which must be there.
  Flight::Reader::Piece NextOf(Flight::Reader& reader) {
    Flight::Reader::Piece piece;
    Spawn([](Flight::Reader& from, Executor executor, Flight::Reader::Piece* out) -> Task<> {
      *out = co_await from.Next(executor);
    }(reader, executor(), &piece));
    Run();
    return piece;
  }

  SystemClock clock_;
  std::string directory_;
  std::unique_ptr<Cache> cache_;
  FlightMemory large_memory_{100'000'000};
  std::shared_ptr<Flight> flight_ = std::make_shared<Flight>(10'000'000, large_memory_);
};

TEST_F(SpilledFlightTest, KeepsAWindowOfWhatIsWrittenAndTellsWhereTheRestIs) {
  Flight::Reader early(flight_);
  int produced = 0;
  Spawn(Produce(*flight_, 100, kPiece, &produced));
  Run();
  EXPECT_EQ(produced, 32) << "nothing is written yet: the disk sets the pace";
  flight_->Written(20 * kPiece);
  Run();
  EXPECT_EQ(produced, 52);
  EXPECT_EQ(large_memory_.used(), kSpillWindowBytes);
  Flight::Reader late(flight_);
  for (Flight::Reader* reader : {&early, &late}) {
    const auto piece = NextOf(*reader);
    EXPECT_EQ(piece.error, FetchError::kNone);
    EXPECT_EQ(piece.end - piece.begin, 20 * kPiece);
    EXPECT_EQ(NextOf(*reader).chunk->size(), kPiece) << "and on in memory";
  }
  for (uint64_t written = 30; written <= 100; written += 10) {
    flight_->Written(written * kPiece);
    Run();
  }
  EXPECT_EQ(produced, 100);
  const auto skipped = NextOf(early);
  EXPECT_EQ(skipped.begin, 21 * kPiece);
  EXPECT_EQ(skipped.end, 68 * kPiece);
  bool written = false;
  Spawn([](Flight& flight, Executor executor, bool* out) -> Task<> {
    *out = co_await flight.AwaitWritten(executor);
  }(*flight_, executor(), &written));
  Run();
  EXPECT_TRUE(written);
  EXPECT_TRUE(flight_->storable());
}

TEST_F(SpilledFlightTest, WhenItCannotBeStoredTheSlowIsCutOffAndTheFastGoesOn) {
  Flight::Reader fast(flight_), slow(flight_);
  int produced = 0;
  Spawn(Produce(*flight_, 100, kPiece, &produced));
  Run();
  flight_->Written(20 * kPiece);
  Run();
  NextOf(fast);
  flight_->StopSpilling();
  Run();
  EXPECT_EQ(produced, 100) << "nobody waits for the disk any more";
  EXPECT_FALSE(flight_->storable());
  EXPECT_EQ(NextOf(slow).error, FetchError::kFellBehind);
  size_t bytes = 0;
  FetchError error{};
  Spawn(Consume(fast, 200, &bytes, &error));
  Run();
  EXPECT_EQ(error, FetchError::kNone);
  EXPECT_EQ(bytes, 80 * kPiece);
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
    const auto piece = std::make_shared<const std::string>("half");
    co_await filled.Append(executor, piece);
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

TEST_F(FlightTest, NobodyWaitsForAnAnswerThatWillBeForItsOwnRequestAlone) {
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

TEST_F(FlightTest, OthersWaitAgainOnceAnAnswerIsForThemOrTheOriginFails) {
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

TEST_F(FlightTest, SoloFlightsAreJoinedByNobodyAndInvalidatedByTheirKey) {
  const auto changed = table_.Solo("k"), too = table_.Solo("k"), other = table_.Solo("x");
  for (const auto* lease : {&changed, &too, &other}) lease->flight()->Publish({});
  EXPECT_TRUE(table_.Join("k").lease);
  table_.Invalidate("k");
  EXPECT_FALSE(changed.flight()->storable());
  EXPECT_FALSE(too.flight()->storable());
  EXPECT_TRUE(other.flight()->storable());
}

TEST_F(FlightTest, ARetiredFlightIsJoinedByNobodyAndInvalidatedByItsKey) {
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

TEST_F(FlightTest, ANewerResponseIsStoredInPlaceOfTheSameVariantsOlderOnes) {
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

TEST_F(FlightTest, TheFailureOfASoloFlightIsItsOwn) {
  const MonoTime now(std::chrono::hours(1));
  table_.Solo("k").Fail(FetchError::kConnect, now);
  EXPECT_TRUE(table_.Join("k", now).lease);
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
