#include "lib/log_file/log_ring.h"

#include <gmock/gmock.h>

#include <string>
#include <thread>
#include <vector>

namespace perigee {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

bool Put(LogRing& ring, std::string_view text) {
  std::byte* const place = ring.Reserve(text.size());
  if (place == nullptr) return false;
  std::memcpy(place, text.data(), text.size());
  ring.Commit();
  return true;
}

std::vector<std::string> Take(LogRing& ring) {
  std::vector<std::string> taken;
  ring.Drain([&taken](std::string_view record) { taken.emplace_back(record); });
  return taken;
}

TEST(LogRing, GivesBackWhatWasPutInOrder) {
  LogRing ring(1024);
  EXPECT_THAT(Take(ring), IsEmpty());
  EXPECT_TRUE(Put(ring, "one"));
  EXPECT_TRUE(Put(ring, ""));
  EXPECT_TRUE(Put(ring, "three and more"));
  EXPECT_THAT(Take(ring), ElementsAre("one", "", "three and more"));
  EXPECT_THAT(Take(ring), IsEmpty());
}

TEST(LogRing, WhatIsNotCommittedIsNotSeen) {
  LogRing ring(1024);
  ASSERT_NE(ring.Reserve(8), nullptr);
  EXPECT_THAT(Take(ring), IsEmpty());
}

TEST(LogRing, HoldsExactlyItsCapacityAndCountsWhatIsLost) {
  LogRing ring(4 * LogRing::SpaceFor(8));
  for (int i = 0; i < 4; ++i) EXPECT_TRUE(Put(ring, "12345678"));
  EXPECT_FALSE(Put(ring, "12345678"));
  EXPECT_FALSE(Put(ring, ""));
  EXPECT_EQ(ring.lost(), 2u);
  EXPECT_EQ(Take(ring).size(), 4u);
  EXPECT_TRUE(Put(ring, "12345678"));
}

TEST(LogRing, ARecordLargerThanTheRingIsLost) {
  LogRing ring(64);
  EXPECT_FALSE(Put(ring, std::string(64, 'x')));
  EXPECT_EQ(ring.lost(), 1u);
  EXPECT_TRUE(Put(ring, std::string(56, 'x')));
}

TEST(LogRing, ARecordNeverWrapsAround) {
  for (size_t first = 0; first <= 48; ++first) {
    LogRing ring(64);
    ASSERT_TRUE(Put(ring, std::string(first, 'a')));
    EXPECT_THAT(Take(ring), ElementsAre(std::string(first, 'a')));
    if (Put(ring, "behind the first")) {
      EXPECT_THAT(Take(ring), ElementsAre("behind the first"));
    }
  }
}

TEST(LogRing, ProducerAndConsumerMayRunAtOnce) {
  constexpr uint64_t kRecords = 100'000;
  LogRing ring(4096);
  std::vector<uint64_t> taken;
  const auto take = [&] {
    ring.Drain([&taken](std::string_view record) {
      uint64_t number = 0;
      std::memcpy(&number, record.data(), sizeof(number));
      EXPECT_EQ(record.size(), sizeof(number) + number % 40);
      taken.push_back(number);
    });
  };
  std::thread producer([&ring] {
    for (uint64_t i = 0; i < kRecords;) {
      std::byte* const place = ring.Reserve(sizeof(i) + i % 40);
      if (place == nullptr) continue;
      std::memcpy(place, &i, sizeof(i));
      ring.Commit();
      ++i;
    }
  });
  while (taken.size() < kRecords) take();
  producer.join();
  for (uint64_t i = 0; i < kRecords; ++i) ASSERT_EQ(taken[i], i);
}

}  // namespace
}  // namespace perigee
