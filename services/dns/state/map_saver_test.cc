#include "services/dns/state/map_saver.h"

#include <fstream>

#include "services/dns/state/state_testing.h"

namespace perigee::dns {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr seconds kHardAge{86'400};
const std::vector<std::string> kFleet = {"dublin"};
const IpPrefix kPrefix = *IpPrefix::Parse("198.18.7.0/24");

class MapSaverTest : public StateFileTest {
 protected:
  std::unique_ptr<RttMap> Map() { return std::make_unique<RttMap>(1, 100'000, clock_.Now() - 2 * kHardAge); }
  MapRow Row() {
    MapRow row{.decision = {ToReplicaId(0), Reason::kMeasuredBest}, .measured_at = clock_.Now()};
    row.samples[0] = {milliseconds(20), Method::kIcmpEcho};
    return row;
  }
  std::unique_ptr<MapSaver> Restore(StateFile& file, RttMap& map) {
    auto saver = RestoreMap(file, kFleet, map, kHardAge, clock_);
    EXPECT_TRUE(saver.ok()) << saver.status();
    return *std::move(saver);
  }

  SystemClock clock_;
  SaveCounters counters_;
  MapRow found_;
};

TEST_F(MapSaverTest, SavesWhileItRunsAndOnceMoreAtItsEnd) {
  auto file = Open();
  auto map = Map();
  auto saver = std::make_unique<MapSaver>(*MapStore::Open(*file->Connect(false), kFleet, clock_), *map,
                                          clock_, &counters_, milliseconds(5));
  map->Put(kPrefix, Row());
  auto reader = file->Connect(false);
  const auto give_up = clock_.Now() + seconds(20);
  const auto rows = [&] { return reader->QueryNumber("SELECT count(*) FROM row").value_or(0); };
  while (rows() == 0 && clock_.Now() < give_up) {
  }
  EXPECT_EQ(rows(), 1);
  map->Put(*IpPrefix::Parse("198.18.8.0/24"), Row());
  saver.reset();
  EXPECT_EQ(rows(), 2);
  EXPECT_EQ(counters_.rows.value(), 2u);
  EXPECT_GE(counters_.saves.value(), 2u);
  EXPECT_EQ(counters_.failures.value(), 0u);
  EXPECT_GT(counters_.last_success_unix_ms.load(), 0);
}

TEST_F(MapSaverTest, CountsWhatCannotBeSaved) {
  auto file = Open();
  auto map = Map();
  auto store = *MapStore::Open(*file->Connect(false), kFleet, clock_);
  ASSERT_TRUE(store->database().Execute("DROP TABLE row").ok());
  map->Put(kPrefix, Row());
  std::make_unique<MapSaver>(std::move(store), *map, clock_, &counters_, seconds(60)).reset();
  EXPECT_EQ(counters_.failures.value(), 1u);
  EXPECT_EQ(counters_.rows.value(), 0u);
  EXPECT_EQ(counters_.last_success_unix_ms.load(), 0);
}

TEST_F(MapSaverTest, ARestoredMapAnswersAtOnce) {
  auto file = Open();
  {
    auto map = Map();
    auto saver = Restore(*file, *map);
    map->Put(kPrefix, Row());
  }
  auto map = Map();
  auto saver = Restore(*file, *map);
  EXPECT_TRUE(map->Find(kPrefix, &found_));
}

TEST_F(MapSaverTest, AFileThatTurnsOutToBeDamagedIsSetAsideAndWhatWasReadIsKept) {
  auto file = Open();
  size_t rows = 0;
  {
    auto map = Map();
    auto saver = Restore(*file, *map);
    for (uint32_t i = 0; i < 20'000; ++i) {
      const uint8_t bytes[4] = {20, static_cast<uint8_t>(i >> 8), static_cast<uint8_t>(i), 0};
      map->Put(IpPrefix(IpAddress::V4(bytes), 24), Row());
    }
    rows = map->size();
  }
  {
    ASSERT_TRUE(file->Connect(false)->Checkpoint(/*truncate=*/true).ok());
    std::fstream damage(path_, std::ios::in | std::ios::out | std::ios::binary);
    damage.seekp(static_cast<std::streamoff>(std::filesystem::file_size(path_) / 2));
    damage << std::string(100'000, 'x');
  }
  size_t kept = 0;
  {
    auto map = Map();
    auto saver = Restore(*file, *map);
    kept = map->size();
    EXPECT_LT(kept, rows);
    EXPECT_TRUE(std::filesystem::exists(path_ + ".corrupt"));
  }
  auto map = Map();
  auto saver = Restore(*file, *map);
  EXPECT_EQ(map->size(), kept) << "what was read is written into the new file";
}

TEST(WarningPace, OneAMinute) {
  WarningPace pace;
  const MonoTime now{seconds(5)};
  EXPECT_TRUE(pace.Due(now));
  EXPECT_FALSE(pace.Due(now + seconds(59)));
  EXPECT_TRUE(pace.Due(now + seconds(60)));
  EXPECT_FALSE(pace.Due(now + seconds(61)));
}

}  // namespace
}  // namespace perigee::dns
