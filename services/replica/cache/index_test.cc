#include "services/replica/cache/index.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_replace.h"

namespace perigee::replica {
namespace {

Entry EntryOf(ObjectId id, uint64_t bytes) {
  Entry entry;
  entry.id = id;
  entry.bytes = bytes;
  return entry;
}

uint64_t SumOfBytes(Index& index) {
  uint64_t sum = 0;
  index.ForEach([&](const Entry& entry) { sum += entry.bytes; });
  return sum;
}

class IndexWithEveryEviction : public testing::TestWithParam<Eviction> {};

TEST_P(IndexWithEveryEviction, KeepsTheBudgetAtEveryInstantAndGivesUpNoMoreThanItNeeds) {
  constexpr uint64_t kBudget = 50'000, kLargest = 20'000;
  uint64_t removed = 0;
  Index index(kBudget, {4, 4}, MakeEvictionPolicy(GetParam()),
              [&](const Entry&, uint64_t) { return ++removed, uint64_t{0}; });
  std::mt19937_64 rng(3);
  for (ObjectId id = 1; id <= 20'000; ++id) {
    const uint64_t bytes = rng() % (kLargest + 1);
    const std::string key = std::to_string(std::min(rng() % 200, rng() % 200));
    const uint64_t before = index.bytes(), evictions = index.evictions();
    if (Entry* found = index.Find(key, {}); !found) {
      EXPECT_EQ(index.Add(key, EntryOf(id, bytes)).bytes, bytes);
      if (index.evictions() > evictions) {
        EXPECT_GT(before + bytes, kBudget) << "there was room";
        EXPECT_GT(index.bytes() + kLargest, kBudget) << "one too many went";
      }
    } else if (id % 8 == 0) {
      index.Resize(*found, bytes);
    } else if (id % 32 == 1) {
      index.Remove(*found);
    } else {
      index.Hit(*found);
    }
    ASSERT_LE(index.bytes(), kBudget);
    ASSERT_EQ(index.bytes(), SumOfBytes(index));
  }
  EXPECT_GT(index.evictions(), 1'000u);
  EXPECT_GE(removed, index.evictions());
}

TEST_P(IndexWithEveryEviction, AnObjectThatGrowsStaysAndTheOthersMakeRoom) {
  Index index(1'000, {4, 4}, MakeEvictionPolicy(GetParam()),
              [](const Entry&, uint64_t) { return uint64_t{0}; });
  index.Add("a", EntryOf(1, 400));
  index.Hit(index.Add("b", EntryOf(2, 400)));
  index.Resize(*index.Find("a", {}), 700);
  EXPECT_NE(index.Find("a", {}), nullptr);
  EXPECT_EQ(index.Find("b", {}), nullptr);
  EXPECT_EQ(index.bytes(), 700u);
}

std::string TestName(const testing::TestParamInfo<Eviction>& run) {
  return absl::StrReplaceAll(std::string(Name(run.param)), {{"-", ""}});
}
TEST_P(IndexWithEveryEviction, KeepsToItsNumberOfObjects) {
  constexpr size_t kMost = 3;
  Index index(1'000, {4, 4, kMost}, MakeEvictionPolicy(GetParam()),
              [](const Entry&, uint64_t) { return uint64_t{0}; });
  for (ObjectId id = 1; id <= 10; ++id) {
    index.Add(std::to_string(id), EntryOf(id, 10));
    EXPECT_EQ(index.size(), std::min<size_t>(id, kMost));
    EXPECT_NE(index.FindId(id), nullptr);
  }
  EXPECT_EQ(index.evictions(), 10 - kMost);
  index.Resize(*index.FindId(10), 500);
  EXPECT_EQ(index.size(), kMost) << "it is one already";
  for (ObjectId id = 11; id <= 20; ++id) index.AddUnchecked(std::to_string(id), EntryOf(id, 10));
  index.EvictToBudget();
  EXPECT_EQ(index.size(), kMost);
}

INSTANTIATE_TEST_SUITE_P(, IndexWithEveryEviction, testing::ValuesIn(kEveryEviction), TestName);

TEST(Index, AnEntryBeginsWithTheHitsThatThePolicyRemembers) {
  Index index(1'000, {4, 4}, MakeEvictionPolicy(Eviction::kLfuPerByte),
              [](const Entry&, uint64_t) { return uint64_t{0}; });
  index.Hit(index.Add("a", EntryOf(1, 1'000)));
  index.Add("b", EntryOf(2, 1'000));
  EXPECT_EQ(index.Add("a", EntryOf(3, 1'000)).hits, 2u);
}

TEST(Index, VariantsOfOneKeyAreRememberedApart) {
  Index index(1'000, {4, 4}, MakeEvictionPolicy(Eviction::kLfuPerByte),
              [](const Entry&, uint64_t) { return uint64_t{0}; });
  Entry german = EntryOf(1, 1'000), french = EntryOf(2, 1'000);
  german.vary_names = french.vary_names = "accept-language";
  german.variant_key = "de";
  french.variant_key = "fr";
  index.Add("a", std::move(german));
  EXPECT_EQ(index.Add("a", std::move(french)).hits, 0u);
}

struct Answered {
  uint64_t objects = 0, bytes = 0;
};

// Requests for 10,000 objects of 100 bytes to 1.6 MB, half of them for the 125 most popular. Every
// second object is another one after 15,000 requests.
Answered Replay(Eviction eviction) {
  Index index(10'000'000, {1, 1}, MakeEvictionPolicy(eviction),
              [](const Entry&, uint64_t) { return uint64_t{0}; });
  std::mt19937_64 rng(11);
  Answered answered;
  for (ObjectId id = 1; id <= 60'000; ++id) {
    const double chance = static_cast<double>(rng() % 1'000'000) / 1e6;
    const auto rank = static_cast<uint64_t>(10'000 * std::pow(chance, 6.3));
    const uint64_t object = rank % 2 == 0 ? rank : rank + id / 15'000 * 10'000;
    const uint64_t bytes = uint64_t{100} << (object * 2'654'435'761 / 7 % 15);
    Entry* found = index.Find(std::to_string(object), {});
    if (!found) {
      index.Add(std::to_string(object), EntryOf(id, bytes));
      continue;
    }
    index.Hit(*found);
    ++answered.objects;
    answered.bytes += bytes;
  }
  return answered;
}

TEST(Index, TheDefaultAnswersMoreObjectsAndMoreBytesThanPlainFewestHits) {
  const Answered by_default = Replay(kDefaultEviction), plain = Replay(Eviction::kLfu);
  EXPECT_GT(by_default.objects, plain.objects * 11 / 10);
  EXPECT_GT(by_default.bytes, plain.bytes);
}

}  // namespace
}  // namespace perigee::replica
