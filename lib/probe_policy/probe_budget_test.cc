#include "lib/probe_policy/probe_budget.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace perigee {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::HasSubstr;

IpAddress Addr(std::string_view text) { return *IpAddress::Parse(text); }

class ProbeBudgetTest : public testing::Test {
 protected:
  int TakeUntilRefused(ProbeBudget& budget, const IpAddress& client) {
    int taken = 0;
    while (taken < 100'000 && budget.Take(client, 1, clock_.Now()).ok()) ++taken;
    return taken;
  }
  FakeClock clock_;
};

TEST_F(ProbeBudgetTest, OneSecondsWorthComesAtOnceAndRefillsEvenly) {
  ProbeBudget budget({.packets_per_second = 1000, .packets_per_prefix_per_second = 20});
  EXPECT_EQ(TakeUntilRefused(budget, Addr("1.2.3.4")), 20);
  clock_.Advance(milliseconds(50));
  EXPECT_EQ(TakeUntilRefused(budget, Addr("1.2.3.4")), 1);
  clock_.Advance(seconds(60));
  EXPECT_EQ(TakeUntilRefused(budget, Addr("1.2.3.4")), 20);
}

TEST_F(ProbeBudgetTest, NeighboursShareAPrefixAndOthersDoNot) {
  ProbeBudget budget({});
  EXPECT_EQ(TakeUntilRefused(budget, Addr("1.2.3.4")), 20);
  EXPECT_EQ(TakeUntilRefused(budget, Addr("1.2.3.200")), 0);
  EXPECT_EQ(TakeUntilRefused(budget, Addr("1.2.4.4")), 20);
  EXPECT_EQ(TakeUntilRefused(budget, Addr("2606::1")), 20);
  EXPECT_EQ(TakeUntilRefused(budget, Addr("2606:0:0:ff::1")), 0) << "the same /56";
  EXPECT_EQ(TakeUntilRefused(budget, Addr("2606:0:0:100::1")), 20);
}

TEST_F(ProbeBudgetTest, TheUnprovenHaveAPartOfTheWhole) {
  ProbeBudget budget({.packets_per_second = 100, .unproven_packets_per_second = 40});
  int taken = 0, refused = 0;
  for (uint8_t i = 0; i < 60; ++i) {
    const auto client = IpAddress::V4(std::array<uint8_t, 4>{9, 0, i, 1});
    const BudgetVerdict verdict = budget.TryTake(client, Presence::kUnproven, 1, clock_.Now()).verdict;
    taken += verdict == BudgetVerdict::kTaken ? 1 : 0;
    refused += verdict == BudgetVerdict::kUnprovenEmpty ? 1 : 0;
  }
  EXPECT_EQ(taken, 40);
  EXPECT_EQ(refused, 20);
  for (uint8_t i = 0; i < 60; ++i) {
    EXPECT_TRUE(budget.Take(IpAddress::V4(std::array<uint8_t, 4>{9, 1, i, 1}), 1, clock_.Now()).ok());
  }
  EXPECT_FALSE(budget.Take(Addr("9.2.0.1"), 1, clock_.Now()).ok()) << "the whole holds for all";
  clock_.Advance(milliseconds(25));
  EXPECT_EQ(budget.TryTake(Addr("9.3.0.1"), Presence::kUnproven, 1, clock_.Now()).verdict,
            BudgetVerdict::kTaken);
  EXPECT_EQ(budget.TryTake(Addr("9.3.0.1"), Presence::kUnproven, 1, clock_.Now()).verdict,
            BudgetVerdict::kUnprovenEmpty);
}

TEST_F(ProbeBudgetTest, TheGlobalBudgetHoldsOverAllPrefixes) {
  ProbeBudget budget({.packets_per_second = 100});
  int taken = 0;
  for (uint8_t i = 0; i < 20; ++i) {
    taken += TakeUntilRefused(budget, IpAddress::V4(std::array<uint8_t, 4>{9, 0, i, 1}));
  }
  EXPECT_EQ(taken, 100);
  EXPECT_THAT(std::string(budget.Take(Addr("1.1.1.1"), 1, clock_.Now()).message()), HasSubstr("this host"));
}

TEST_F(ProbeBudgetTest, WhatIsNotUrgentLeavesHalfOfTheGlobalBucket) {
  ProbeBudget budget({.packets_per_second = 40, .packets_per_prefix_per_second = 20});
  const auto take = [&](std::string_view client, uint32_t packets) {
    return budget.TryTake(Addr(client), Presence::kProven, packets, clock_.Now(), BudgetUse::kHalf).verdict;
  };
  EXPECT_EQ(take("1.2.3.4", 20), BudgetVerdict::kTaken);
  EXPECT_EQ(take("1.2.3.4", 1), BudgetVerdict::kPrefixEmpty);
  EXPECT_EQ(take("1.2.4.4", 1), BudgetVerdict::kGlobalEmpty);
  EXPECT_TRUE(budget.Take(Addr("1.2.4.4"), 20, clock_.Now()).ok());
  clock_.Advance(milliseconds(525));
  EXPECT_EQ(take("1.2.5.4", 2), BudgetVerdict::kGlobalEmpty) << "of 40 a second, 19 are used up";
  EXPECT_EQ(take("1.2.5.4", 1), BudgetVerdict::kTaken);
}

TEST_F(ProbeBudgetTest, ARefusalTakesFromNeitherBucket) {
  ProbeBudget budget({.packets_per_second = 30, .packets_per_prefix_per_second = 20});
  EXPECT_EQ(budget.Take(Addr("1.2.3.4"), 21, clock_.Now()).code(), absl::StatusCode::kResourceExhausted);
  EXPECT_TRUE(budget.Take(Addr("1.2.3.4"), 20, clock_.Now()).ok());
  EXPECT_FALSE(budget.Take(Addr("1.2.4.4"), 11, clock_.Now()).ok());
  EXPECT_TRUE(budget.Take(Addr("1.2.4.4"), 10, clock_.Now()).ok());
}

TEST_F(ProbeBudgetTest, TheMessageSaysWhoseAndForHowLong) {
  ProbeBudget budget({});
  EXPECT_TRUE(budget.Take(Addr("1.2.3.4"), 20, clock_.Now()).ok());
  EXPECT_EQ(budget.Take(Addr("1.2.3.4"), 2, clock_.Now()).message(),
            "the probe budget of 1.2.3.0/24 is used up for 100 ms");
}

TEST_F(ProbeBudgetTest, WhatWasNotSentCanBeReturned) {
  ProbeBudget budget({});
  EXPECT_TRUE(budget.Take(Addr("1.2.3.4"), 20, clock_.Now()).ok());
  budget.Return(Addr("1.2.3.4"), 3);
  EXPECT_EQ(TakeUntilRefused(budget, Addr("1.2.3.4")), 3);
}

TEST_F(ProbeBudgetTest, TheDearestMeasurementFitsIntoTheSmallestBudget) {
  ProbeBudget budget({.packets_per_second = 0, .packets_per_prefix_per_second = 0});
  EXPECT_TRUE(budget.Take(Addr("1.2.3.4"), 14, clock_.Now()).ok());
  clock_.Advance(milliseconds(999));
  EXPECT_FALSE(budget.Take(Addr("1.2.3.4"), 1, clock_.Now()).ok());
  clock_.Advance(milliseconds(1));
  EXPECT_TRUE(budget.Take(Addr("1.2.3.4"), 1, clock_.Now()).ok());
}

TEST_F(ProbeBudgetTest, ThePrefixIdleForLongestIsForgotten) {
  ProbeBudget budget({.packets_per_second = 10'000, .max_prefixes = 2});
  EXPECT_EQ(TakeUntilRefused(budget, Addr("1.0.0.1")), 20);
  EXPECT_EQ(TakeUntilRefused(budget, Addr("1.0.1.1")), 20);
  EXPECT_FALSE(
      budget.Take(Addr("1.0.0.1"), 1, clock_.Now()).ok());  // in use again: 1.0.1.0/24 is the idle one
  EXPECT_EQ(TakeUntilRefused(budget, Addr("1.0.2.1")), 20);
  EXPECT_EQ(budget.prefixes(), 2u);
  EXPECT_EQ(TakeUntilRefused(budget, Addr("1.0.0.1")), 0);
  EXPECT_EQ(TakeUntilRefused(budget, Addr("1.0.1.1")), 20);
}

TEST_F(ProbeBudgetTest, ATimeFromThePastRefillsNothing) {
  ProbeBudget budget({});
  const MonoTime before = clock_.Now();
  clock_.Advance(seconds(5));
  EXPECT_EQ(TakeUntilRefused(budget, Addr("1.2.3.4")), 20);
  EXPECT_FALSE(budget.Take(Addr("1.2.3.4"), 1, before).ok());
}

}  // namespace
}  // namespace perigee
