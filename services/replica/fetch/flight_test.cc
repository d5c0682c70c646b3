#include "services/replica/fetch/flight.h"

#include <gmock/gmock.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>

#include "lib/base/testing/files.h"

namespace perigee::replica {
namespace {

// Runs coroutines on one io_context until all of them wait or have ended: no time passes.
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
    cache_ = *Cache::Open({.path = folder_ / "cache.sqlite"}, clock_);
    flight_->Publish({});
    EXPECT_TRUE(flight_->Spill(cache_->BeginBody(0, nullptr)->body()).empty());
  }
  ~SpilledFlightTest() override {
    flight_.reset();
    cache_.reset();
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
  TemporaryFolder folder_;
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

}  // namespace
}  // namespace perigee::replica
