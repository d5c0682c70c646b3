// The state file of a process that is killed amid its saves.
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <random>
#include <thread>

#include "services/dns/state/map_saver.h"
#include "services/dns/state/state_testing.h"

namespace perigee::dns {
namespace {

using std::chrono::microseconds;
using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr int kRounds = 10;
constexpr uint32_t kSeed = 20'220'901;
constexpr uint32_t kRowsPerStep = 500;
constexpr uint32_t kMaxRows = 200'000;
constexpr seconds kHardAge{86'400};
const std::vector<std::string> kFleet = {"dublin", "tokyo", "sao-paulo"};

IpPrefix PrefixOf(uint32_t n) {
  const uint8_t bytes[4] = {static_cast<uint8_t>(20 + (n >> 16)), static_cast<uint8_t>(n >> 8),
                            static_cast<uint8_t>(n), 0};
  return IpPrefix(IpAddress::V4(bytes), 24);
}

// The samples tell which row it is, and so whether it is whole.
MapRow RowOf(uint32_t n, MonoTime now) {
  MapRow row{.decision = {ToReplicaId(n % 3), Reason::kMeasuredBest}, .measured_at = now};
  for (uint32_t i = 0; i < 3; ++i) row.samples[i] = {microseconds(1000 * (i + 1) + n), Method::kIcmpEcho};
  return row;
}

bool IsRow(const MapRow& row, uint32_t n) {
  const MapRow want = RowOf(n, {});
  bool same = row.decision.replica == want.decision.replica && row.decision.reason == want.decision.reason;
  for (size_t i = 0; i < 3; ++i) {
    same =
        same && row.samples[i].rtt == want.samples[i].rtt && row.samples[i].method == want.samples[i].method;
  }
  return same;
}

std::unique_ptr<RttMap> MakeMap(const Clock& clock) {
  return std::make_unique<RttMap>(3, 4 * kMaxRows, clock.Now() - 2 * kHardAge);
}

// Puts rows, and tells `acknowledged` how many there were when a save that began after them had succeeded.
// Runs until it is killed. An exit code says what went wrong.
[[noreturn]] void SaveForEver(const std::string& path, uint32_t first, int acknowledged) {
  const SystemClock clock;
  auto file = StateFile::Open(path);
  if (!file.ok()) _exit(2);
  auto map = MakeMap(clock);
  SaveCounters counters;
  auto database = (*file)->Connect(/*durable=*/false);
  if (!database.ok()) _exit(3);
  auto store = MapStore::Open(*std::move(database), kFleet, clock);
  if (!store.ok() || !(*store)->Load(*map, kHardAge).ok()) _exit(4);
  const MapSaver saver(*std::move(store), *map, clock, &counters, milliseconds(1));
  for (uint32_t rows = first; rows < kMaxRows;) {
    for (uint32_t i = 0; i < kRowsPerStep; ++i, ++rows) map->Put(PrefixOf(rows), RowOf(rows, clock.Now()));
    // The save under way may have passed some of them by; the next one has not.
    const uint64_t saves = counters.saves.value();
    while (counters.saves.value() < saves + 2) {
      if (counters.failures.value() > 0) _exit(5);
      std::this_thread::yield();
    }
    if (write(acknowledged, &rows, sizeof(rows)) != sizeof(rows)) _exit(6);
  }
  _exit(7);  // more than the map holds: the killer was too slow
}

class MapSaverKillTest : public StateFileTest {
 protected:
  // Returns how many rows were acknowledged to a process that goes on from row `first` and is killed after
  // `steps` acknowledgements and `delay`.
  uint32_t SaveAndKill(uint32_t first, int steps, microseconds delay) {
    int ends[2];
    EXPECT_EQ(pipe(ends), 0);
    const pid_t child = fork();
    if (child == 0) {
      close(ends[0]);
      SaveForEver(path_, first, ends[1]);
    }
    close(ends[1]);
    uint32_t acknowledged = first;
    for (int i = 0; i < steps; ++i) {
      if (read(ends[0], &acknowledged, sizeof(acknowledged)) <= 0) break;
    }
    const auto until = std::chrono::steady_clock::now() + delay;
    while (std::chrono::steady_clock::now() < until) {
    }
    kill(child, SIGKILL);
    int status = 0;
    EXPECT_EQ(waitpid(child, &status, 0), child);
    EXPECT_TRUE(WIFSIGNALED(status)) << "it ended by itself, with " << WEXITSTATUS(status);
    while (read(ends[0], &acknowledged, sizeof(acknowledged)) > 0) {
    }
    close(ends[0]);
    return acknowledged;
  }

  // All that is in the file are whole rows; the first `acknowledged` are there.
  void ExpectRows(uint32_t acknowledged) {
    auto file = Open();
    ASSERT_NE(file, nullptr);
    EXPECT_FALSE(std::filesystem::exists(path_ + ".corrupt"));
    const auto check = file->Connect(false)->QueryText("PRAGMA integrity_check");
    EXPECT_EQ(check.value_or("failed"), "ok");
    auto map = MakeMap(clock_);
    auto store = MapStore::Open(*file->Connect(false), kFleet, clock_);
    ASSERT_TRUE(store.ok()) << store.status();
    const auto loaded = (*store)->Load(*map, kHardAge);
    ASSERT_TRUE(loaded.ok()) << loaded.status();
    EXPECT_EQ(loaded->dropped, 0u);
    EXPECT_GE(loaded->rows, acknowledged);
    uint32_t whole = 0, lost = 0;
    MapRow row;
    for (uint32_t n = 0; n < kMaxRows; ++n) {
      if (map->Find(PrefixOf(n), &row)) {
        EXPECT_TRUE(IsRow(row, n)) << n;
        ++whole;
      } else if (n < acknowledged) {
        ++lost;
      }
    }
    EXPECT_EQ(lost, 0u);
    EXPECT_EQ(whole, loaded->rows) << "no row but those that were put";
  }

  SystemClock clock_;
};

TEST_F(MapSaverKillTest, WhatWasSavedIsThereAndWhole) {
  std::mt19937 random(kSeed);
  uint32_t rows = 0;
  for (int round = 0; round < kRounds; ++round) {
    SCOPED_TRACE(round);
    const int steps = 1 + static_cast<int>(random() % 8);
    const uint32_t before = rows;
    rows = SaveAndKill(rows, steps, microseconds(random() % 20'000));
    EXPECT_GT(rows, before);
    ExpectRows(rows);
    if (HasFailure()) return;
  }
}

}  // namespace
}  // namespace perigee::dns
