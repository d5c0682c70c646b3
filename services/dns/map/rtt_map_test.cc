#include "services/dns/map/rtt_map.h"

#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <fstream>
#include <thread>
#include <vector>

#include "fmt/format.h"
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
  row.samples.assign(kWholeFleet, {milliseconds(ms), Method::kIcmpEcho});
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
  EXPECT_EQ(map.evictions(), 20 - RttMap::kWays);
  map.Put(V4(19), Row(0, 1, 20));
  EXPECT_EQ(map.evictions(), 20 - RttMap::kWays) << "a row that is replaced by its own prefix's stays";
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

TEST(RttMap, AHitIsTheDecisionAndItsReplicasOwnSample) {
  RttMap map(64, 1000, kEpoch);
  const IpPrefix prefix = *IpPrefix::Parse("2001:db8:1:200::/56");
  MapRow row = Row(63, 17, 5);
  row.rules = 0xbeef;
  row.samples[63] = {milliseconds(9), Method::kTcpSyn};
  map.Put(prefix, row);
  MapHit hit;
  ASSERT_TRUE(map.Find(prefix, &hit));
  EXPECT_EQ(hit.decision.replica, ToReplicaId(63));
  EXPECT_EQ(hit.rules, 0xbeef);
  EXPECT_EQ(hit.measured_at, kEpoch + seconds(5));
  EXPECT_EQ(hit.sample.rtt, milliseconds(9));
  EXPECT_EQ(hit.sample.method, Method::kTcpSyn);
  EXPECT_FALSE(map.Find(V4(1), &hit));
}

// Of a large fleet.
class SparseRows : public testing::Test {
 protected:
  static constexpr size_t kFleet = 1000;
  RttMap map_{kFleet, 1000, kEpoch};
  MapRow row_{.decision = {ToReplicaId(999), Reason::kOverride},
              .rules = 0xbeef,
              .measured_at = kEpoch,
              .samples = Samples(kFleet)};
  MapRow found_;
};

TEST_F(SparseRows, HoldTheDecidedReplicaAndTheNearest) {
  row_.samples[999] = {milliseconds(500), Method::kTcpSyn};
  for (size_t i = 0; i < 100; ++i) row_.samples[i * 9] = {milliseconds(300 - i), Method::kIcmpEcho};
  row_.samples[5] = {Rtt{}, Method::kSilent};
  map_.Put(V4(1), row_);
  ASSERT_TRUE(map_.Find(V4(1), &found_));
  ASSERT_EQ(found_.samples.size(), kFleet);
  EXPECT_EQ(found_.decision.replica, ToReplicaId(999));
  EXPECT_EQ(found_.decision.reason, Reason::kOverride);
  EXPECT_EQ(found_.rules, 0xbeef);
  EXPECT_EQ(found_.samples[999].rtt, milliseconds(500)) << "far, but given";
  size_t kept = 0;
  for (const Sample& sample : found_.samples) kept += sample.measured();
  EXPECT_EQ(kept, RttMap::kSparseSamples);
  EXPECT_EQ(found_.samples[99 * 9].rtt, milliseconds(201));
  EXPECT_EQ(found_.samples[(100 - (RttMap::kSparseSamples - 1)) * 9].rtt, milliseconds(217));
  EXPECT_EQ(found_.samples[5].method, Method::kUnknown) << "there was no room for silence";
}

TEST_F(SparseRows, HoldAllWhenTheyAreFew) {
  row_.samples[0] = {milliseconds(7), Method::kPassive};
  row_.samples[5] = {Rtt{}, Method::kSilent};
  map_.Put(V4(1), row_);
  found_ = Row(1, 1);
  ASSERT_TRUE(map_.Find(V4(1), &found_));
  EXPECT_EQ(found_.samples[0].method, Method::kPassive);
  EXPECT_EQ(found_.samples[5].method, Method::kSilent);
  for (const size_t i : {1u, 63u, 64u, 999u}) EXPECT_EQ(found_.samples[i].method, Method::kUnknown) << i;
}

TEST_F(SparseRows, AHitIsTheDecisionAndItsReplicasOwnSample) {
  row_.samples[999] = {milliseconds(9), Method::kTcpSyn};
  row_.samples[0] = {milliseconds(3), Method::kIcmpEcho};
  map_.Put(V4(1), row_);
  MapHit hit;
  ASSERT_TRUE(map_.Find(V4(1), &hit));
  EXPECT_EQ(hit.decision.replica, ToReplicaId(999));
  EXPECT_EQ(hit.sample.rtt, milliseconds(9));
  row_.samples[999] = {};
  map_.Put(V4(1), row_);
  ASSERT_TRUE(map_.Find(V4(1), &hit));
  EXPECT_EQ(hit.sample.method, Method::kUnknown);
}

TEST(RttMap, EveryLengthOfEitherFamilyIsAPrefixOfItsOwn) {
  RttMap map(1, 8000, kEpoch);
  const IpAddress v4 = *IpAddress::Parse("0.0.0.0"), v6 = *IpAddress::Parse("::");
  for (int i = 0; i <= 32; ++i) map.Put(IpPrefix(v4, i), Row(0, 1 + i));
  for (int i = 0; i <= 64; ++i) map.Put(IpPrefix(v6, i), Row(0, 100 + i));
  MapHit hit;
  for (int i = 0; i <= 32; ++i) {
    ASSERT_TRUE(map.Find(IpPrefix(v4, i), &hit));
    EXPECT_EQ(hit.sample.rtt, milliseconds(1 + i));
  }
  for (int i = 0; i <= 64; ++i) {
    ASSERT_TRUE(map.Find(IpPrefix(v6, i), &hit));
    EXPECT_EQ(hit.sample.rtt, milliseconds(100 + i));
  }
}

TEST(RttMap, OneAsksForARefreshInAnIntervalAndAgainAfterAPut) {
  RttMap map(1, 1000, kEpoch);
  EXPECT_FALSE(map.AskRefresh(V4(1), kEpoch, seconds(5))) << "unknown";
  map.Put(V4(1), Row(0, 1));
  EXPECT_TRUE(map.AskRefresh(V4(1), kEpoch, seconds(5)));
  EXPECT_FALSE(map.AskRefresh(V4(1), kEpoch + seconds(4), seconds(5)));
  EXPECT_TRUE(map.AskRefresh(V4(1), kEpoch + seconds(5), seconds(5)));
  EXPECT_FALSE(map.AskRefresh(V4(1), kEpoch + seconds(5), seconds(5)));
  map.Put(V4(1), Row(0, 1));
  EXPECT_TRUE(map.AskRefresh(V4(1), kEpoch + seconds(5), seconds(5)));
}

TEST(RttMap, ASlotHoldsItsPrefixAndItsRow) {
  RttMap map(3, 1000, kEpoch);
  for (const char* text : {"0.0.0.0/0", "198.18.7.0/24", "198.18.7.9/32", "::/0", "2001:db8:1:200::/56"}) {
    const IpPrefix prefix = *IpPrefix::Parse(text);
    EXPECT_EQ(map.SlotOf(prefix), map.capacity());
    map.Put(prefix, Row(2, 17, 5));
    const size_t slot = map.SlotOf(prefix);
    ASSERT_LT(slot, map.capacity());
    IpPrefix read;
    MapRow row;
    ASSERT_TRUE(map.ReadSlot(slot, &read, &row));
    EXPECT_EQ(read, prefix);
    EXPECT_EQ(row.decision.replica, ToReplicaId(2));
    EXPECT_EQ(row.samples[2].rtt, milliseconds(17));
  }
  size_t used = 0;
  IpPrefix read;
  MapRow row;
  for (size_t slot = 0; slot < map.capacity(); ++slot) used += map.ReadSlot(slot, &read, &row);
  EXPECT_EQ(used, map.size());
}

TEST(RttMap, WhatWasPutIsDirtyUntilItIsTaken) {
  RttMap map(1, 1000, kEpoch);
  std::vector<size_t> expected, taken;
  for (uint32_t i = 0; i < 200; ++i) {
    map.Put(V4(i), Row(0, 1));
    expected.push_back(map.SlotOf(V4(i)));
  }
  std::sort(expected.begin(), expected.end());
  for (size_t from = 0; from < map.capacity();) {
    const size_t before = taken.size();
    std::vector<size_t> slots;
    map.TakeDirty(&from, 10, &slots);
    EXPECT_LE(slots.size(), 10u + 63);
    taken.insert(taken.end(), slots.begin(), slots.end());
    EXPECT_TRUE(from == map.capacity() || taken.size() > before);
  }
  EXPECT_EQ(taken, expected);
  map.MarkDirty(expected[7]);
  taken.clear();
  size_t from = 0;
  map.TakeDirty(&from, 1000, &taken);
  EXPECT_EQ(taken, std::vector<size_t>{expected[7]});
  EXPECT_EQ(from, map.capacity());
}

size_t ResidentBytes() {
  size_t pages = 0, resident = 0;
  std::ifstream("/proc/self/statm") >> pages >> resident;
  return resident * static_cast<size_t>(sysconf(_SC_PAGESIZE));
}

TEST(RttMap, AMillionPrefixesOfNineReplicasTakeLessThanAHundredMegabytes) {
  constexpr uint32_t kLimit = 1'000'000;
  const size_t before = ResidentBytes();
  RttMap map(9, kLimit, kEpoch);
  for (uint32_t i = 0; i < kLimit * 3; ++i) map.Put(V4(i), Row(0, 1));
  const size_t taken = ResidentBytes() - before;
  EXPECT_GT(map.size(), kLimit * 99 / 100);
  EXPECT_LE(map.size(), kLimit);
#ifndef __SANITIZE_THREAD__  // whose shadow of the memory counts too
  EXPECT_LT(taken, 100'000'000u);
#endif
  fmt::print("{} prefixes of 9 replicas: {:.1f} MB resident\n", map.size(), static_cast<double>(taken) / 1e6);
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
        MapHit hit;
        if (!map.Find(prefix, &row) || !map.Find(prefix, &hit)) ++torn;
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

}  // namespace
}  // namespace perigee::dns
