#include "services/replica/io/pace.h"

#include <gtest/gtest.h>

namespace perigee::replica {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr MonoTime kStart{seconds(1'000)};

TEST(Pace, SilenceEndsAfterTheGrace) {
  Pace pace(seconds(30), 500);
  EXPECT_EQ(pace.Await(kStart, 0), kStart + seconds(30));
}

TEST(Pace, AByteNowAndThenEndsToo) {
  Pace pace(seconds(30), 500);
  MonoTime now = kStart;
  for (uint64_t moved = 0; pace.Await(now, moved) > now + seconds(1); ++moved) pace.Waited(now += seconds(1));
  EXPECT_EQ(now - kStart, seconds(30));
}

TEST(Pace, WhoKeepsTheRateGoesOnForEver) {
  Pace pace(seconds(30), 500);
  MonoTime now = kStart;
  for (uint64_t moved = 0; moved < 5'000'000; moved += 500) {
    ASSERT_EQ(pace.Await(now, moved), now + seconds(30));
    pace.Waited(now += seconds(1));
  }
}

TEST(Pace, WhatWasFastMayStallForTheGraceAlone) {
  Pace pace(seconds(30), 500);
  EXPECT_EQ(pace.Await(kStart, 1'000'000), kStart + seconds(30));
}

TEST(Pace, OnlyWaitingCounts) {
  Pace pace(seconds(30), 500);
  pace.Await(kStart, 0);
  pace.Waited(kStart);
  const MonoTime later = kStart + seconds(3'600);  // the other side had nothing to send
  EXPECT_EQ(pace.Await(later, 1), later + seconds(30));
}

TEST(Pace, EachMessageBeginsAnew) {
  Pace pace(seconds(30), 500);
  pace.Await(kStart, 0);
  pace.Waited(kStart + seconds(29));
  EXPECT_EQ(pace.Await(kStart, 0), kStart + seconds(1));
  pace.Begin(0);
  EXPECT_EQ(pace.Await(kStart, 0), kStart + seconds(30));
}

TEST(Pace, ARateOfZeroAsksForNone) {
  Pace pace(milliseconds(100), 0);
  MonoTime now = kStart;
  for (uint64_t moved = 0; moved < 1'000; ++moved) {
    ASSERT_EQ(pace.Await(now, moved), now + milliseconds(100));
    pace.Waited(now += milliseconds(99));
  }
}

}  // namespace
}  // namespace perigee::replica
