#include "services/replica/spare_memory.h"

#include <gtest/gtest.h>

namespace perigee::replica {
namespace {

constexpr uint64_t kMuch = 10 * SpareMemory::kKeptBytes;

TEST(SpareMemory, IsGivenBackWhenItHasBeenSpareForAWhile) {
  SpareMemory spare;
  for (int turn = 0; turn < 2; ++turn) {
    for (int look = 1; look < SpareMemory::kPatience; ++look) EXPECT_FALSE(spare.Look(kMuch, 1));
    EXPECT_TRUE(spare.Look(kMuch, 1));
  }
}

TEST(SpareMemory, WhatIsUsedNowAndThenStays) {
  SpareMemory spare;
  for (int turn = 0; turn < 3; ++turn) {
    for (int look = 1; look < SpareMemory::kPatience; ++look) EXPECT_FALSE(spare.Look(kMuch, 1));
    EXPECT_FALSE(spare.Look(kMuch, kMuch));
  }
}

TEST(SpareMemory, SomeIsKept) {
  SpareMemory spare;
  for (int look = 0; look < 2 * SpareMemory::kPatience; ++look) {
    EXPECT_FALSE(spare.Look(SpareMemory::kKeptBytes + 5, 5));
    EXPECT_FALSE(spare.Look(2 * kMuch, kMuch)) << "as much as is used";
    EXPECT_FALSE(spare.Look(0, 5)) << "unknown";
  }
}

}  // namespace
}  // namespace perigee::replica
