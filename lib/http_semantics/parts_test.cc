#include "lib/http_semantics/parts.h"

#include <gmock/gmock.h>

#include <random>
#include <set>

namespace perigee::http {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::Optional;

TEST(Parts, OneHasAllThatIsWanted) {
  EXPECT_THAT(Cover({{0, 9}, {20, 29}}, {22, 24}), Optional(ElementsAre(Slice{1, {22, 24}})));
  EXPECT_THAT(Cover({{0, 9}}, {0, 9}), Optional(ElementsAre(Slice{0, {0, 9}})));
}

TEST(Parts, NeighboursAreJoined) {
  EXPECT_THAT(Cover({{0, 9}, {10, 19}, {20, 29}}, {5, 22}),
              Optional(ElementsAre(Slice{0, {5, 9}}, Slice{1, {10, 19}}, Slice{2, {20, 22}})));
}

TEST(Parts, OverlappingOnesGiveEachByteOnceAndAsFewAsCan) {
  EXPECT_THAT(Cover({{0, 9}, {2, 12}, {4, 20}, {12, 30}}, {1, 25}),
              Optional(ElementsAre(Slice{0, {1, 9}}, Slice{2, {10, 20}}, Slice{3, {21, 25}})));
}

TEST(Parts, AMissingByteMeansNothing) {
  for (const ByteRange wanted : {ByteRange{0, 10}, {5, 12}, {10, 10}, {25, 30}, {40, 50}}) {
    EXPECT_EQ(Cover({{0, 9}, {11, 29}}, wanted), std::nullopt) << wanted.first;
  }
  EXPECT_EQ(Cover({}, {0, 0}), std::nullopt);
}

TEST(Parts, WhatTheAddedOneHasIsNeedless) {
  EXPECT_THAT(Needless({{0, 3}, {2, 9}, {4, 6}, {20, 29}}, 1), ElementsAre(2));
  EXPECT_THAT(Needless({{2, 4}, {2, 4}}, 1), ElementsAre(0));
  EXPECT_THAT(Needless({{2, 9}, {4, 6}}, 1), IsEmpty()) << "what is added stays, for it is the newest";
}

TEST(Parts, WhatNeighboursHaveTogetherIsNeedless) {
  EXPECT_THAT(Needless({{0, 9}, {5, 14}, {10, 19}}, 2), ElementsAre(1));
  EXPECT_THAT(Needless({{0, 9}, {5, 14}, {11, 19}}, 2), IsEmpty());
}

TEST(PartsProperty, NothingIsLostAndNothingIsMadeUp) {
  std::mt19937 random(7);
  for (int round = 0; round < 2'000; ++round) {
    std::vector<ByteRange> parts;
    std::set<uint64_t> stored;
    for (size_t i = random() % 8 + 1; i > 0; --i) {
      const uint64_t first = random() % 30;
      parts.push_back({first, first + random() % 10});
    }
    std::sort(parts.begin(), parts.end(), [](auto a, auto b) { return a.first < b.first; });
    for (const ByteRange part : parts) {
      for (uint64_t at = part.first; at <= part.last; ++at) stored.insert(at);
    }
    std::vector<ByteRange> fewer;
    const std::vector<size_t> needless = Needless(parts, random() % parts.size());
    for (size_t i = 0; i < parts.size(); ++i) {
      if (std::find(needless.begin(), needless.end(), i) == needless.end()) fewer.push_back(parts[i]);
    }
    const uint64_t first = random() % 30;
    const ByteRange wanted{first, first + random() % 20};
    bool all = true;
    for (uint64_t at = wanted.first; at <= wanted.last; ++at) all = all && stored.contains(at);
    const auto slices = Cover(parts, wanted);
    ASSERT_EQ(slices.has_value(), all);
    ASSERT_EQ(Cover(fewer, wanted).has_value(), all);
    if (!all) continue;
    uint64_t at = wanted.first;
    for (const Slice& slice : *slices) {
      const ByteRange part = parts[slice.part];
      ASSERT_EQ(slice.range.first, at);
      ASSERT_TRUE(part.first <= slice.range.first && slice.range.last <= part.last);
      at = slice.range.last + 1;
    }
    ASSERT_EQ(at, wanted.last + 1);
  }
}

}  // namespace
}  // namespace perigee::http
