#include "tests/world/delay_queue.h"

#include <random>

#include "gtest/gtest.h"

namespace perigee::world {
namespace {

using std::chrono::nanoseconds;

constexpr MonoTime kStart{std::chrono::hours(1)};

TEST(DelayQueue, GivesNothingBeforeItsTime) {
  DelayQueue<int> queue;
  EXPECT_EQ(queue.NextDue(), std::nullopt);
  queue.Push(kStart + nanoseconds(5), 1);
  EXPECT_EQ(queue.NextDue(), kStart + nanoseconds(5));
  EXPECT_EQ(queue.PopDue(kStart + nanoseconds(4)), std::nullopt);
  EXPECT_EQ(queue.PopDue(kStart + nanoseconds(5)), 1);
  EXPECT_EQ(queue.size(), 0u);
}

TEST(DelayQueue, EqualTimesKeepTheirOrder) {
  DelayQueue<int> queue;
  for (int i = 0; i < 1000; ++i) queue.Push(kStart, i);
  for (int i = 0; i < 1000; ++i) EXPECT_EQ(queue.PopDue(kStart), i);
}

TEST(DelayQueue, RandomTimesComeOutInOrder) {
  DelayQueue<MonoTime> queue;
  std::mt19937 random(7);
  for (int i = 0; i < 10'000; ++i) {
    const MonoTime due = kStart + nanoseconds(random() % 1000);
    queue.Push(due, due);
  }
  MonoTime last = kStart;
  while (const auto due = queue.PopDue(MonoTime::max())) {
    EXPECT_GE(*due, last);
    last = *due;
  }
  EXPECT_EQ(queue.size(), 0u);
}

}  // namespace
}  // namespace perigee::world
