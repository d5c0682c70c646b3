#include "services/replica/fetch/circuit_breaker.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace perigee::replica {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr milliseconds kHoldOff{1'000};
constexpr milliseconds kLongest{8'000};

class CircuitBreakerTest : public ::testing::Test {
 protected:
  // One request; whether it was let through.
  bool Ask(FetchError outcome, uint64_t resource = 1) {
    auto permit = breaker_.Admit(resource, now_);
    if (!permit) return false;
    permit->Report(outcome, now_);
    return true;
  }
  void AskTimes(int n, FetchError outcome, uint64_t resource = 1) {
    for (int i = 0; i < n; ++i) Ask(outcome, resource);
  }
  bool Closed() const { return breaker_.state() == CircuitState::kClosed; }
  // Past any hold-off of nominally this length, its jitter included.
  void Wait(milliseconds nominal) { now_ += nominal + nominal / 4; }

  MonoTime now_ = MonoTime(std::chrono::hours(1));
  std::vector<CircuitBreaker::Change> changes_;
  CircuitBreaker breaker_{{.max_failures = 3, .hold_off = kHoldOff, .max_hold_off = kLongest},
                          7,
                          [this](const CircuitBreaker::Change& change) { changes_.push_back(change); }};
};

TEST_F(CircuitBreakerTest, OpensAfterFailuresInARowAndSaysSoOnce) {
  AskTimes(2, FetchError::kConnect);
  Ask(FetchError::kNone);
  AskTimes(2, FetchError::kConnect);
  EXPECT_TRUE(Closed()) << "a response in between sets the count back";
  Ask(FetchError::kConnectTimeout);
  EXPECT_EQ(breaker_.state(), CircuitState::kOpen);
  EXPECT_EQ(breaker_.openings(), 1u);
  EXPECT_FALSE(Ask(FetchError::kNone));
  ASSERT_EQ(changes_.size(), 1u);
  EXPECT_TRUE(changes_[0].open);
  EXPECT_EQ(changes_[0].why, FetchError::kConnectTimeout);
}

TEST_F(CircuitBreakerTest, OneTrialAtATimeAndItsResponseCloses) {
  AskTimes(3, FetchError::kConnect);
  Wait(kHoldOff);
  auto trial = breaker_.Admit(1, now_);
  ASSERT_TRUE(trial);
  EXPECT_EQ(breaker_.state(), CircuitState::kHalfOpen);
  EXPECT_FALSE(breaker_.Admit(2, now_));
  trial->Report(FetchError::kNone, now_);
  EXPECT_TRUE(Closed());
  EXPECT_TRUE(Ask(FetchError::kNone));
  EXPECT_FALSE(changes_.back().open);
  EXPECT_EQ(changes_.size(), 2u);
}

TEST_F(CircuitBreakerTest, HoldOffDoublesUpToItsLimitWithJitterAndBeginsAnewAfterAResponse) {
  AskTimes(3, FetchError::kConnect);
  for (milliseconds nominal = kHoldOff; changes_.size() < 6; nominal = std::min(nominal * 2, kLongest)) {
    const double share =
        static_cast<double>(changes_.back().hold_off.count()) / static_cast<double>(nominal.count());
    EXPECT_GE(share, 1 - CircuitBreaker::kJitter - 0.001);
    EXPECT_LE(share, 1 + CircuitBreaker::kJitter);
    now_ += changes_.back().hold_off - milliseconds(1);
    EXPECT_FALSE(Ask(FetchError::kConnect));
    now_ += milliseconds(1);
    EXPECT_TRUE(Ask(FetchError::kConnect));
  }
  EXPECT_EQ(breaker_.openings(), 1u);
  Wait(kLongest);
  Ask(FetchError::kNone);
  AskTimes(3, FetchError::kConnect);
  EXPECT_LE(changes_.back().hold_off, kHoldOff * 6 / 5);
}

TEST_F(CircuitBreakerTest, HoldOffsDiffer) {
  std::vector<milliseconds> hold_offs;
  for (int i = 0; i < 20; ++i) {
    AskTimes(3, FetchError::kConnect);
    hold_offs.push_back(changes_.back().hold_off);
    Wait(kHoldOff);
    Ask(FetchError::kNone);
  }
  std::sort(hold_offs.begin(), hold_offs.end());
  EXPECT_GT(hold_offs.back() - hold_offs.front(), milliseconds(100));
}

TEST_F(CircuitBreakerTest, OneSlowOrBrokenResourceNeverOpensIt) {
  AskTimes(100, FetchError::kFirstByteTimeout, 1);
  AskTimes(100, FetchError::kClosed, 2);
  EXPECT_TRUE(Closed());
  Ask(FetchError::kFirstByteTimeout, 3);
  EXPECT_FALSE(Closed()) << "three different ones without any response";
}

TEST_F(CircuitBreakerTest, WhileTheOriginTakesConnectionsTheHoldOffDoesNotGrow) {
  for (uint64_t resource : {1, 2, 3}) Ask(FetchError::kFirstByteTimeout, resource);
  for (int i = 0; i < 5; ++i) {
    Wait(kHoldOff);
    EXPECT_TRUE(Ask(FetchError::kFirstByteTimeout));
  }
}

TEST_F(CircuitBreakerTest, WhatIsNotTheOriginsSilenceDoesNotCount) {
  for (const FetchError error : {FetchError::kTooManyOrigin, FetchError::kMalformed,
                                 FetchError::kFetchTimeout, FetchError::kIdleTimeout}) {
    AskTimes(10, error);
    EXPECT_TRUE(Closed()) << Name(error);
  }
}

TEST_F(CircuitBreakerTest, ATrialThatIsGivenUpMakesRoomForTheNext) {
  AskTimes(3, FetchError::kConnect);
  Wait(kHoldOff);
  { const auto given_up = breaker_.Admit(1, now_); }
  EXPECT_EQ(breaker_.state(), CircuitState::kOpen);
  EXPECT_TRUE(Ask(FetchError::kTooManyOrigin)) << "says nothing of the origin either";
  EXPECT_TRUE(Ask(FetchError::kNone));
  EXPECT_TRUE(Closed());
}

TEST_F(CircuitBreakerTest, RequestsFromBeforeItOpenedMayCloseItButNotHoldItLonger) {
  auto good = breaker_.Admit(1, now_);
  auto bad = breaker_.Admit(2, now_);
  AskTimes(3, FetchError::kConnect);
  bad->Report(FetchError::kConnect, now_ + kHoldOff);
  EXPECT_EQ(changes_.size(), 1u);
  good->Report(FetchError::kNone, now_);
  EXPECT_TRUE(Closed());
}

TEST_F(CircuitBreakerTest, APermitThatMovesReportsOnce) {
  auto permit = *breaker_.Admit(1, now_);
  CircuitBreaker::Permit moved(std::move(permit));
  CircuitBreaker::Permit assigned;
  assigned = std::move(moved);
  assigned.Report(FetchError::kConnect, now_);
  assigned.Report(FetchError::kConnect, now_);
  AskTimes(1, FetchError::kConnect);
  EXPECT_TRUE(Closed()) << "two failures so far";
}

TEST(CircuitBreaker, WithoutALimitNeverOpens) {
  CircuitBreaker breaker({.max_failures = 0}, 1, [](const CircuitBreaker::Change&) { FAIL(); });
  for (int i = 0; i < 1'000; ++i) breaker.Admit(1, MonoTime())->Report(FetchError::kConnect, MonoTime());
  EXPECT_EQ(breaker.state(), CircuitState::kClosed);
}

}  // namespace
}  // namespace perigee::replica
