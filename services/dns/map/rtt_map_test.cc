#include "services/dns/map/rtt_map.h"

#include <algorithm>
#include <atomic>
#include <thread>
#include <vector>

#include "gtest/gtest.h"

namespace perigee::dns {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

const MonoTime kEpoch = MonoTime(seconds(1000));

IpPrefix V4(uint32_t n) {
  const uint8_t bytes[4] = {20, static_cast<uint8_t>(n >> 16), static_cast<uint8_t>(n >> 8),
                            static_cast<uint8_t>(n)};
  return IpPrefix(IpAddress::V4(bytes), 32);
}

MapRow Row(int replica, int ms, int at_seconds = 0) {
  MapRow row;
  row.decision = {ToReplicaId(replica), Reason::kMeasuredBest};
  row.measured_at = kEpoch + seconds(at_seconds);
  row.samples.fill({milliseconds(ms), Method::kIcmpEcho});
  return row;
}

TEST(RttMap, FindsWhatWasPut) {
  RttMap map(3, 1000, kEpoch);
  const IpPrefix p4 = *IpPrefix::Parse("198.18.7.0/24"), p6 = *IpPrefix::Parse("2001:db8:1:200::/56");
  MapRow row = Row(2, 17, 5);
  row.samples[1] = {Rtt{}, Method::kSilent};
  map.Put(p4, row);
  MapRow found;
  ASSERT_TRUE(map.Find(p4, &found));
  EXPECT_EQ(found.decision.replica, ToReplicaId(2));
  EXPECT_EQ(found.decision.reason, Reason::kMeasuredBest);
  EXPECT_EQ(found.measured_at, kEpoch + seconds(5));
  EXPECT_EQ(found.samples[0].rtt, milliseconds(17));
  EXPECT_EQ(found.samples[1].method, Method::kSilent);
  EXPECT_FALSE(map.Find(p6, &found));
  map.Put(p6, Row(0, 1));
  EXPECT_TRUE(map.Find(p6, &found));
  EXPECT_EQ(map.size(), 2u);
}

TEST(RttMap, TheSameBytesUnderAnotherLengthOrFamilyAreAnotherPrefix) {
  RttMap map(1, 1000, kEpoch);
  map.Put(*IpPrefix::Parse("20.1.0.0/16"), Row(0, 1));
  MapRow found;
  EXPECT_FALSE(map.Find(*IpPrefix::Parse("20.1.0.0/24"), &found));
  EXPECT_FALSE(map.Find(*IpPrefix::Parse("1401::/16"), &found));
}

TEST(RttMap, PutReplaces) {
  RttMap map(1, 1000, kEpoch);
  map.Put(V4(1), Row(0, 10));
  map.Put(V4(1), Row(0, 20));
  MapRow found;
  ASSERT_TRUE(map.Find(V4(1), &found));
  EXPECT_EQ(found.samples[0].rtt, milliseconds(20));
  EXPECT_EQ(map.size(), 1u);
}

TEST(RttMap, NeverHoldsMoreThanItsLimitAndForgetsTheOldestOfASet) {
  RttMap map(1, RttMap::kWays, kEpoch);  // a single set
  for (uint32_t i = 0; i < 20; ++i) map.Put(V4(i), Row(0, 1, static_cast<int>(i)));
  EXPECT_EQ(map.size(), RttMap::kWays);
  MapRow found;
  for (uint32_t i = 0; i < 20; ++i) EXPECT_EQ(map.Find(V4(i), &found), i >= 12) << i;
}

TEST(RttMap, FillsWellBeforeItForgets) {
  constexpr size_t kLimit = 100'000;
  RttMap map(9, kLimit, kEpoch);
  for (uint32_t i = 0; i < kLimit / 2; ++i) map.Put(V4(i), Row(0, 1));
  EXPECT_GT(map.size(), kLimit / 2 * 97 / 100);
  for (uint32_t i = 0; i < kLimit * 3; ++i) map.Put(V4(i), Row(0, 1));
  EXPECT_LE(map.size(), kLimit);
}

TEST(RttMap, ReadersNeverSeeHalfARow) {
  RttMap map(9, RttMap::kWays, kEpoch);
  const IpPrefix prefix = V4(1);
  map.Put(prefix, Row(0, 1));
  std::atomic<bool> stop{false};
  std::atomic<int> torn{0}, reads{0};
  std::vector<std::thread> readers;
  for (int t = 0; t < 3; ++t) {
    readers.emplace_back([&] {
      MapRow row;
      while (!stop) {
        if (!map.Find(prefix, &row)) ++torn;
        for (size_t i = 1; i < 9; ++i) torn += row.samples[i].rtt != row.samples[0].rtt;
        ++reads;
      }
    });
  }
  for (int i = 0; i < 200'000 || reads < 1000; ++i) map.Put(prefix, Row(i % 9, 1 + i % 1000));
  stop = true;
  for (auto& reader : readers) reader.join();
  EXPECT_EQ(torn, 0);
}

TEST(RttMap, SlotsCanBeReadOneByOne) {
  RttMap map(2, 1000, kEpoch);
  const IpPrefix p4 = *IpPrefix::Parse("198.18.7.0/24"), p6 = *IpPrefix::Parse("2001:db8:1:200::/56");
  map.Put(p4, Row(0, 10));
  map.Put(p6, Row(1, 20));
  size_t in_use = 0;
  for (size_t slot = 0; slot < map.capacity(); ++slot) {
    IpPrefix prefix;
    MapRow row;
    if (!map.ReadSlot(slot, &prefix, &row)) continue;
    ++in_use;
    EXPECT_EQ(map.SlotOf(prefix), slot);
    EXPECT_TRUE(prefix == p4 || prefix == p6) << prefix.ToString();
    EXPECT_EQ(row.samples[0].rtt, prefix == p4 ? milliseconds(10) : milliseconds(20));
  }
  EXPECT_EQ(in_use, 2u);
  EXPECT_EQ(map.SlotOf(V4(1)), map.capacity());
}

TEST(RttMap, DirtySlotsAreTakenOnce) {
  RttMap map(1, 4096, kEpoch);
  for (uint32_t i = 0; i < 1000; ++i) map.Put(V4(i), Row(0, 10));
  std::vector<size_t> slots;
  size_t from = 0;
  map.TakeDirty(&from, 100, &slots);
  EXPECT_GE(slots.size(), 100u);
  EXPECT_LE(slots.size(), 163u);
  while (from < map.capacity()) map.TakeDirty(&from, SIZE_MAX, &slots);
  EXPECT_EQ(slots.size(), map.size());
  EXPECT_TRUE(std::is_sorted(slots.begin(), slots.end()));

  slots.clear();
  map.Put(V4(7), Row(0, 20));
  map.MarkDirty(map.SlotOf(V4(8)));
  for (from = 0; from < map.capacity();) map.TakeDirty(&from, 100, &slots);
  std::vector<size_t> expected = {map.SlotOf(V4(7)), map.SlotOf(V4(8))};
  std::sort(expected.begin(), expected.end());
  EXPECT_EQ(slots, expected);
}

}  // namespace
}  // namespace perigee::dns
