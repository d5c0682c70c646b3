#include "services/dns/state/map_store.h"

#include "services/dns/state/state_testing.h"

namespace perigee::dns {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr seconds kHardAge{86'400};
const std::vector<std::string> kFleet = {"dublin", "tokyo"};

IpPrefix Prefix(uint32_t n) {
  const uint8_t bytes[4] = {20, static_cast<uint8_t>(n >> 8), static_cast<uint8_t>(n), 0};
  return IpPrefix(IpAddress::V4(bytes), 24);
}

class MapStoreTest : public StateFileTest {
 protected:
  MapStoreTest() : file_(Open()) { clock_.Advance(2 * kHardAge); }

  std::unique_ptr<MapStore> Store(const std::vector<std::string>& names = kFleet) {
    auto store = MapStore::Open(*file_->Connect(false), names, clock_);
    EXPECT_TRUE(store.ok()) << store.status();
    return *std::move(store);
  }
  std::unique_ptr<RttMap> Map(size_t replicas = 2, size_t prefixes = 8192) {
    return std::make_unique<RttMap>(replicas, prefixes, clock_.Now() - 2 * kHardAge);
  }
  MapRow Row(int replica, int ms) {
    MapRow row{.decision = {ToReplicaId(replica), Reason::kMeasuredBest}, .measured_at = clock_.Now()};
    row.samples[0] = row.samples[1] = {milliseconds(ms), Method::kIcmpEcho};
    return row;
  }
  size_t Save(MapStore& store, RttMap& map) {
    const auto saved = store.Save(map);
    EXPECT_TRUE(saved.ok()) << saved.status();
    return saved.value_or(0);
  }
  MapStore::Loaded Load(MapStore& store, RttMap& map) {
    const auto loaded = store.Load(map, kHardAge);
    EXPECT_TRUE(loaded.ok()) << loaded.status();
    return loaded.value_or(MapStore::Loaded{});
  }

  FakeClock clock_;
  std::unique_ptr<StateFile> file_;
  MapRow found_;
};

TEST_F(MapStoreTest, WhatWasSavedIsThereAfterARestart) {
  auto map = Map();
  for (uint32_t i = 0; i < 5000; ++i) map->Put(Prefix(i), Row(1, 20));
  const size_t rows = map->size();
  EXPECT_EQ(Save(*Store(), *map), rows) << "in more than one transaction";
  clock_.Advance(seconds(60));
  auto after = Map();
  auto store = Store();
  EXPECT_EQ(Load(*store, *after).rows, rows);
  size_t same = 0;
  for (uint32_t i = 0; i < 5000; ++i) {
    if (!after->Find(Prefix(i), &found_)) continue;
    same += found_.decision.replica == ToReplicaId(1) && clock_.Now() - found_.measured_at == seconds(60);
  }
  EXPECT_EQ(same, rows);
  EXPECT_EQ(Save(*store, *after), 0u) << "what was loaded is not written again";
}

TEST_F(MapStoreTest, OnlyWhatWasPutSinceIsWritten) {
  auto map = Map();
  auto store = Store();
  for (uint32_t i = 0; i < 100; ++i) map->Put(Prefix(i), Row(0, 20));
  EXPECT_EQ(Save(*store, *map), 100u);
  EXPECT_EQ(Save(*store, *map), 0u);
  map->Put(Prefix(7), Row(1, 10));
  map->Put(Prefix(7), Row(1, 11));
  EXPECT_EQ(Save(*store, *map), 1u);
}

TEST_F(MapStoreTest, TheTableIsBoundedByTheMap) {
  auto map = Map(2, 64);
  auto store = Store();
  for (uint32_t i = 0; i < 5000; ++i) {
    map->Put(Prefix(i), Row(0, 20));
    if (i % 100 == 0) Save(*store, *map);
  }
  Save(*store, *map);
  EXPECT_EQ(*store->database().QueryNumber("SELECT count(*) FROM row"), 64);
}

TEST_F(MapStoreTest, RowsPastTheirHardAgeAreSkipped) {
  auto map = Map();
  map->Put(Prefix(1), Row(0, 20));
  clock_.Advance(seconds(2));
  map->Put(Prefix(2), Row(0, 20));
  Save(*Store(), *map);
  clock_.Advance(kHardAge - seconds(1));
  auto after = Map();
  const MapStore::Loaded loaded = Load(*Store(), *after);
  EXPECT_EQ(loaded.rows, 1u);
  EXPECT_EQ(loaded.dropped, 1u);
  EXPECT_FALSE(after->Find(Prefix(1), &found_));
}

TEST_F(MapStoreTest, AnotherFleetsFileIsReadByName) {
  auto map = Map();
  MapRow row = Row(0, 20);
  row.samples[1].rtt = milliseconds(35);
  map->Put(Prefix(1), row);
  Save(*Store(), *map);
  auto after = Map(3);
  EXPECT_EQ(Load(*Store({"lima", "tokyo", "oslo"}), *after).rows, 1u);
  ASSERT_TRUE(after->Find(Prefix(1), &found_));
  EXPECT_EQ(found_.decision.replica, ToReplicaId(1)) << "dublin is gone: tokyo is the nearest of the rest";
  EXPECT_EQ(found_.samples[1].rtt, milliseconds(35));
  EXPECT_EQ(found_.samples[0].method, Method::kUnknown);
}

TEST_F(MapStoreTest, AMapOfAnotherSizeTakesTheRowsAndTidiesTheTable) {
  auto map = Map(2, 8192);
  for (uint32_t i = 0; i < 1000; ++i) map->Put(Prefix(i), Row(0, 20));
  Save(*Store(), *map);
  auto small = Map(2, 64);
  auto store = Store();
  EXPECT_EQ(Load(*store, *small).rows, 64u);
  Save(*store, *small);
  EXPECT_LE(*store->database().QueryNumber("SELECT max(slot) FROM row"), 63);
  auto again = Map(2, 64);
  Load(*Store(), *again);
  for (uint32_t i = 0; i < 1000; ++i) {
    EXPECT_EQ(small->Find(Prefix(i), &found_), again->Find(Prefix(i), &found_)) << i;
  }
}

TEST_F(MapStoreTest, AnOlderRowThatAPrefixLeftBehindDoesNotWin) {
  auto map = Map();
  map->Put(Prefix(1), Row(0, 20));
  auto store = Store();
  Save(*store, *map);
  const size_t slot = map->SlotOf(Prefix(1));
  clock_.Advance(seconds(10));
  map->Put(Prefix(1), Row(1, 10));
  // The row from before, in a slot of its own, before and behind the true one.
  for (const size_t other : {slot + 1, slot - 1}) {
    ASSERT_TRUE(store->database()
                    .Execute("INSERT OR REPLACE INTO row SELECT " + std::to_string(other) +
                             ", data FROM row WHERE slot = " + std::to_string(slot))
                    .ok());
  }
  Save(*store, *map);
  auto after = Map();
  Load(*Store(), *after);
  ASSERT_TRUE(after->Find(Prefix(1), &found_));
  EXPECT_EQ(found_.decision.replica, ToReplicaId(1));
}

TEST_F(MapStoreTest, WhatAFullDiskRefusesStaysToBeWritten) {
  auto map = Map();
  auto store = Store();
  for (uint32_t i = 0; i < 5000; ++i) map->Put(Prefix(i), Row(0, 20));
  ASSERT_TRUE(store->database().Execute("PRAGMA max_page_count=20").ok());
  EXPECT_EQ(store->Save(*map).status().code(), absl::StatusCode::kResourceExhausted);
  ASSERT_TRUE(store->database().Execute("PRAGMA max_page_count=100000").ok());
  EXPECT_EQ(Save(*store, *map), map->size());
}

TEST_F(MapStoreTest, NamesAreForgottenOnlyWhenTheNumbersRunOut) {
  for (size_t i = 0; i < kMaxReplicaNumbers; i += 64) {
    std::vector<std::string> names;
    for (size_t j = 0; j < 64; ++j) names.push_back("r" + std::to_string(i + j));
    Store(names);
  }
  const std::string count = "SELECT count(*) FROM replica";
  EXPECT_EQ(*file_->Connect(false)->QueryNumber(count), static_cast<int64_t>(kMaxReplicaNumbers));
  Store();
  EXPECT_EQ(*file_->Connect(false)->QueryNumber(count), 2);
}

}  // namespace
}  // namespace perigee::dns
