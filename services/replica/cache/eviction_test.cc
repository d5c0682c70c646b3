#include "services/replica/cache/eviction.h"

#include <gtest/gtest.h>

#include <initializer_list>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "absl/strings/str_replace.h"
#include "services/replica/cache/eviction_by_hits.h"
#include "services/replica/cache/memory_tier.h"

namespace perigee::replica {
namespace {

// Object `id`, whose fingerprint is another number.
EvictionObject Object(ObjectId id, uint64_t bytes = 100, uint64_t hits = 0) {
  return {.id = id, .fingerprint = id + 1'000'000, .bytes = bytes, .hits = hits};
}

std::unique_ptr<EvictionPolicy> PolicyWith(Eviction eviction, std::initializer_list<EvictionObject> objects) {
  auto policy = MakeEvictionPolicy(eviction);
  for (const EvictionObject& object : objects) policy->Add(object);
  return policy;
}

void HitTimes(EvictionPolicy& policy, ObjectId id, int times) {
  for (int i = 0; i < times; ++i) policy.Hit(id);
}

std::vector<ObjectId> EvictAll(EvictionPolicy& policy) {
  std::vector<ObjectId> order;
  for (auto id = policy.Evict(); id; id = policy.Evict()) order.push_back(*id);
  return order;
}

using Ids = std::vector<ObjectId>;

class EveryEviction : public testing::TestWithParam<Eviction> {};

TEST_P(EveryEviction, IsKnownByItsName) {
  EXPECT_EQ(ParseEviction(Name(GetParam())), GetParam());
  EXPECT_EQ(ParseEviction("fifo"), std::nullopt);
}

TEST_P(EveryEviction, GivesUpEveryObjectOnceAndThenNothing) {
  const auto policy = PolicyWith(GetParam(), {Object(1), Object(2, 7), Object(3, 0), Object(4, 1, 9)});
  policy->Hit(2);
  const Ids order = EvictAll(*policy);
  EXPECT_EQ(std::set<ObjectId>(order.begin(), order.end()), (std::set<ObjectId>{1, 2, 3, 4}));
  EXPECT_EQ(order.size(), 4u);
}

TEST_P(EveryEviction, AmongEqualObjectsTheOneStoredFirstGoesFirst) {
  const auto policy = PolicyWith(GetParam(), {Object(1), Object(2), Object(3)});
  const bool prefers_the_old = GetParam() == Eviction::kLfuAdmission;
  EXPECT_EQ(EvictAll(*policy), prefers_the_old ? (Ids{3, 1, 2}) : (Ids{1, 2, 3}));
}

TEST_P(EveryEviction, AmongEqualObjectsTheOneThatIsUsedStaysLongest) {
  const auto policy = PolicyWith(GetParam(), {Object(1), Object(2), Object(3)});
  HitTimes(*policy, 1, 2);
  EXPECT_EQ(EvictAll(*policy).back(), 1u);
}

TEST_P(EveryEviction, WhatWasRemovedIsNotEvicted) {
  const auto policy = PolicyWith(GetParam(), {Object(1, 50), Object(2), Object(3)});
  policy->Hit(1);
  const EvictionObject removed = policy->Remove(1);
  EXPECT_EQ(removed.fingerprint, Object(1).fingerprint);
  EXPECT_EQ(removed.bytes, 50u);
  EXPECT_EQ(removed.hits, 1u);
  const Ids rest = EvictAll(*policy);
  EXPECT_EQ(std::set<ObjectId>(rest.begin(), rest.end()), (std::set<ObjectId>{2, 3}));
}

TEST_P(EveryEviction, WhatWasRemovedIsNotRemembered) {
  const auto policy = PolicyWith(GetParam(), {Object(1, 100, 5)});
  policy->Remove(1);
  EXPECT_EQ(policy->Add(Object(1)), 0u);
}

std::string TestName(const testing::TestParamInfo<Eviction>& run) {
  return absl::StrReplaceAll(std::string(Name(run.param)), {{"-", ""}});
}
INSTANTIATE_TEST_SUITE_P(, EveryEviction, testing::ValuesIn(kEveryEviction), TestName);

TEST(Lfu, TheFewestHitsGoFirstWhateverTheSize) {
  const auto policy = PolicyWith(Eviction::kLfu, {Object(1, 1), Object(2, 1'000'000), Object(3, 1)});
  HitTimes(*policy, 1, 2);
  HitTimes(*policy, 2, 3);
  HitTimes(*policy, 3, 1);
  EXPECT_EQ(EvictAll(*policy), (Ids{3, 1, 2}));
}

TEST(Lfu, HitsFromAnEarlierRunCount) {
  const auto policy = PolicyWith(Eviction::kLfu, {Object(1, 1, 5), Object(2, 1, 4)});
  EXPECT_EQ(policy->Evict(), 2u);
}

TEST(Lfu, OldFameIsKeptForEver) {
  const auto policy = PolicyWith(Eviction::kLfu, {Object(1, 1, 5)});
  for (ObjectId id = 2; id < 100; ++id) {
    policy->Add(Object(id));
    policy->Hit(id);
    EXPECT_EQ(policy->Evict(), id);
  }
}

TEST(LfuAged, OldFameFades) {
  const auto policy = PolicyWith(Eviction::kLfuAged, {Object(1, 1, 5)});
  ObjectId id = 2;
  for (;; ++id) {
    policy->Add(Object(id));
    policy->Hit(id);
    if (policy->Evict() == 1u) break;
    ASSERT_LT(id, 10u);
  }
  EXPECT_GT(id, 2u);
}

TEST(LfuAged, WhatIsPutBackHasTheAgeItHad) {
  const auto policy = PolicyWith(Eviction::kLfuAged, {Object(1), Object(2, 100, 5), Object(3), Object(4)});
  EXPECT_EQ(policy->Evict(), 1u);  // whoever is used from now on begins higher
  policy->Add(policy->Remove(3));
  EXPECT_EQ(policy->Evict(), 3u);
}

TEST(LfuAdmission, ANewcomerGoesWhenItWasAskedForNoMoreThanTheOneThatWouldGoForIt) {
  const auto policy =
      PolicyWith(Eviction::kLfuAdmission, {Object(1, 900, 1), Object(2, 900, 2), Object(3, 300)});
  EXPECT_EQ(policy->Evict(), 3u);
  policy->Add(Object(4, 300));
  policy->Hit(4);
  EXPECT_EQ(policy->Evict(), 4u);
  EXPECT_EQ(EvictAll(*policy), (Ids{1, 2}));
}

TEST(LfuAdmission, ANewcomerWithMoreRequestsTakesThePlaceOfTheFewestHits) {
  const auto policy =
      PolicyWith(Eviction::kLfuAdmission, {Object(1, 900, 1), Object(2, 900, 2), Object(3, 300)});
  HitTimes(*policy, 3, 2);
  EXPECT_EQ(policy->Evict(), 1u);
}

TEST(LfuAdmission, ATenthOfTheBytesIsLeftToNewcomers) {
  const auto policy =
      PolicyWith(Eviction::kLfuAdmission, {Object(1, 900, 1), Object(2, 900, 2), Object(3, 200)});
  EXPECT_EQ(policy->Evict(), 1u);
}

TEST(LfuAdmission, WhatWasRefusedIsCountedUntilItIsAdmitted) {
  const auto policy =
      PolicyWith(Eviction::kLfuAdmission, {Object(1, 900, 1), Object(2, 900, 2), Object(9, 300)});
  EXPECT_EQ(policy->Evict(), 9u);
  for (const uint64_t hits : {0, 1}) {
    EXPECT_EQ(policy->Add(Object(3, 300)), hits);
    EXPECT_EQ(policy->Evict(), 3u);
  }
  EXPECT_EQ(policy->Add(Object(3, 300)), 2u);
  EXPECT_EQ(policy->Evict(), 1u);
}

TEST(Gdsf, TheFewestRequestsForEachByteGoFirst) {
  const auto policy = PolicyWith(Eviction::kGdsf, {Object(1, 100), Object(2, 1'000), Object(3, 100)});
  HitTimes(*policy, 1, 1);  // 2 requests: 0.02 for each byte
  HitTimes(*policy, 2, 4);  // 0.005
  EXPECT_EQ(EvictAll(*policy), (Ids{2, 3, 1}));
}

TEST(LfuPerByte, TheFewestHitsForEachByteGoFirst) {
  const auto policy = PolicyWith(Eviction::kLfuPerByte, {Object(1, 100), Object(2, 1'000), Object(3, 900)});
  HitTimes(*policy, 1, 1);
  HitTimes(*policy, 2, 5);
  HitTimes(*policy, 3, 4);
  EXPECT_EQ(EvictAll(*policy), (Ids{3, 2, 1}));
}

TEST(LfuPerByte, AHitCountsFourTimesAsMuchAsTheFetch) {
  const auto large = PolicyWith(Eviction::kLfuPerByte, {Object(1, 490), Object(2, 100)});
  large->Hit(1);  // 1.25 / 490 > 0.25 / 100
  EXPECT_EQ(large->Evict(), 2u);
  const auto larger = PolicyWith(Eviction::kLfuPerByte, {Object(1, 510), Object(2, 100)});
  larger->Hit(1);
  EXPECT_EQ(larger->Evict(), 1u);
}

TEST(LfuPerByte, HitsAreRememberedWhenTheObjectComesBack) {
  const auto policy = PolicyWith(Eviction::kLfuPerByte, {Object(1, 100, 2)});
  EXPECT_EQ(policy->Evict(), 1u);
  EvictionObject again = Object(1);
  again.id = 2;
  EXPECT_EQ(policy->Add(again), 3u) << "two hits, and the request that missed it";
  EXPECT_EQ(policy->Add(Object(7)), 0u) << "never seen";
}

TEST(LfuPerByte, RemembersAsManyAsItHasAndNoFewerThanTheLimit) {
  FewestHits policy(kLfuPerByteRule);
  for (ObjectId id = 1; id <= kLeastRemembered + 1; ++id) {
    policy.Add(Object(id));
    policy.Evict();
  }
  EXPECT_EQ(policy.remembered(), kLeastRemembered);
  EXPECT_EQ(policy.Add(Object(1)), 0u) << "the first that left is forgotten";
  EXPECT_EQ(policy.Add(Object(2)), 1u);
}

TEST(LfuPerByte, RemembersMoreWhenItHasMore) {
  FewestHits policy(kLfuPerByteRule);
  constexpr size_t kMany = 2 * kLeastRemembered;
  for (ObjectId id = 1; id <= 3 * kMany; ++id) {
    policy.Add(Object(id));
    if (id > kMany) policy.Evict();
  }
  EXPECT_EQ(policy.remembered(), kMany);
}

TEST(Lru, TheOneUnusedForLongestGoesFirstWhateverItsHits) {
  const auto policy = PolicyWith(Eviction::kLru, {Object(1), Object(2), Object(3)});
  HitTimes(*policy, 1, 9);
  HitTimes(*policy, 2, 1);
  EXPECT_EQ(EvictAll(*policy), (Ids{3, 1, 2}));
}

TEST(S3Fifo, ANewcomerAskedForTwiceMovesToMainAndTheOthersLeave) {
  const auto policy = PolicyWith(Eviction::kS3Fifo, {Object(1), Object(2), Object(3)});
  HitTimes(*policy, 1, 2);
  HitTimes(*policy, 2, 1);
  EXPECT_EQ(EvictAll(*policy), (Ids{2, 3, 1}));
}

TEST(S3Fifo, WhatLeftTheSmallQueueComesBackIntoMain) {
  const auto policy = PolicyWith(Eviction::kS3Fifo, {Object(1)});
  EXPECT_EQ(policy->Evict(), 1u);
  policy->Add(Object(1));
  policy->Add(Object(2));
  EXPECT_EQ(policy->Evict(), 2u) << "more than a tenth of the bytes is in the small queue";
}

TEST(S3Fifo, InMainAHitIsAnotherTurnAndThreeAreTheMost) {
  const auto policy = PolicyWith(Eviction::kS3Fifo, {Object(1, 1, 2), Object(2, 1, 2)});
  HitTimes(*policy, 1, 5);
  HitTimes(*policy, 2, 4);
  EXPECT_EQ(policy->Evict(), 1u) << "both used up their three turns";
}

std::shared_ptr<const StoredResponse> Anything() { return std::make_shared<const StoredResponse>(); }

TEST(MemoryTier, MakesRoomByFewestHitsAndTellsWhatWent) {
  MemoryTier tier(100, MakeEvictionPolicy(Eviction::kLfu));
  EXPECT_TRUE(tier.Put(1, Anything(), 40, 0).empty());
  EXPECT_TRUE(tier.Put(2, Anything(), 60, 0).empty());
  tier.Hit(1);
  EXPECT_EQ(tier.Put(3, Anything(), 50, 0), std::vector<ObjectId>{2});
  EXPECT_EQ(tier.bytes(), 90u);
  EXPECT_NE(tier.Get(1), nullptr);
  EXPECT_EQ(tier.Get(2), nullptr);
}

TEST(MemoryTier, DoesNotKeepWhatIsLargerThanItsBudgetNorWhatThatReplaced) {
  MemoryTier tier(100, MakeEvictionPolicy(kDefaultEviction));
  tier.Put(1, Anything(), 10, 0);
  tier.Put(2, Anything(), 100 - 10, 0);
  EXPECT_TRUE(tier.Put(1, Anything(), 101, 0).empty());
  EXPECT_EQ(tier.Get(1), nullptr);
  EXPECT_EQ(tier.bytes(), 90u);
  EXPECT_EQ(tier.size(), 1u);
}

}  // namespace
}  // namespace perigee::replica
