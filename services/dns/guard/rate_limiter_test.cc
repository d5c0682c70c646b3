#include "services/dns/guard/rate_limiter.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <thread>
#include <vector>

#include "services/dns/responder/testing/allocation_counter.h"

namespace perigee::dns {
namespace {

using std::chrono::hours;
using std::chrono::microseconds;
using std::chrono::milliseconds;
using std::chrono::nanoseconds;
using std::chrono::seconds;

constexpr MonoTime kStart{hours(1)};

IpAddress Ip(std::string_view text) { return IpAddress::Parse(text).value(); }
const IpAddress kClient = Ip("192.0.2.1");

RateLimitOptions Options(uint32_t responses_per_second, uint32_t slip = 2) {
  return {.responses_per_second = responses_per_second, .slip = slip, .secret = 0x1234'5678'9abc'def0};
}

struct Tally {
  int64_t sent = 0;
  int64_t truncated = 0;
  int64_t dropped = 0;

  void Add(RateVerdict verdict) {
    sent += verdict == RateVerdict::kSend;
    truncated += verdict == RateVerdict::kTruncate;
    dropped += verdict == RateVerdict::kDrop;
  }
};

Tally CountMany(RateLimiter* limiter, int64_t count, MonoTime from, nanoseconds apart,
                const IpAddress& client = kClient, ResponseKind kind = ResponseKind::kData) {
  Tally tally;
  for (int64_t i = 0; i < count; ++i) tally.Add(limiter->Count(client, kind, from + i * apart));
  return tally;
}

// Takes all that a full bucket holds.
void Exhaust(RateLimiter* limiter, int64_t rate, MonoTime now) {
  ASSERT_EQ(CountMany(limiter, rate, now, nanoseconds(0)).sent, rate);
  ASSERT_NE(limiter->Count(kClient, ResponseKind::kData, now), RateVerdict::kSend);
}

class RateLimiterRates : public ::testing::TestWithParam<uint32_t> {};

TEST_P(RateLimiterRates, HoldTheLimitWithinOnePercent) {
  const uint32_t rate = GetParam();
  RateLimiter limiter(Options(rate));
  Exhaust(&limiter, rate, kStart);
  // Three times the limit, for as long as 10 000 answers take, or a second.
  const int64_t expected = std::max<int64_t>(10'000, rate);
  // Rounded up: a bucket of one answer has no credit for the query that comes just too early.
  const nanoseconds apart(1'000'000'000 / (3 * int64_t{rate}) + 1);
  const int64_t asked = expected * 1'000'000'000 / rate / apart.count();
  const Tally tally = CountMany(&limiter, asked, kStart, apart);
  EXPECT_NEAR(static_cast<double>(tally.sent), static_cast<double>(expected),
              0.01 * static_cast<double>(expected));
}

// 992 064 is the rate that whole ticks miss by most.
INSTANTIATE_TEST_SUITE_P(All, RateLimiterRates,
                         ::testing::Values(1, 7, 200, 33'333, 992'064, RateLimiter::kMaxResponsesPerSecond));

TEST(RateLimiterTest, LetsPassWhatStaysAtTheLimit) {
  RateLimiter limiter(Options(200));
  EXPECT_EQ(CountMany(&limiter, 10'000, kStart, milliseconds(5)).sent, 10'000);
}

TEST(RateLimiterTest, ZeroIsNoLimit) {
  RateLimiter limiter(Options(0));
  EXPECT_EQ(CountMany(&limiter, 10'000, kStart, nanoseconds(0)).sent, 10'000);
}

TEST(RateLimiterTest, LowersARateAboveTheHighest) {
  RateLimiter limiter(Options(RateLimiter::kMaxResponsesPerSecond + 1));
  Exhaust(&limiter, RateLimiter::kMaxResponsesPerSecond, kStart);
}

TEST(RateLimiterTest, TruncatesEverySlipthOfTheWithheld) {
  for (const uint32_t slip : {1, 2, 3, 10, 255}) {
    RateLimiter limiter(Options(10, slip));
    Exhaust(&limiter, 10, kStart);  // withholds one
    const Tally tally = CountMany(&limiter, 255 * 20 - 1, kStart, nanoseconds(0));
    EXPECT_EQ(tally.sent, 0);
    EXPECT_EQ(tally.truncated, 255 * 20 / slip - (slip == 1)) << slip;
  }
}

TEST(RateLimiterTest, NeverTruncatesWithoutSlip) {
  RateLimiter limiter(Options(10, 0));
  Exhaust(&limiter, 10, kStart);
  EXPECT_EQ(CountMany(&limiter, 1'000, kStart, nanoseconds(0)).dropped, 1'000);
}

TEST(RateLimiterTest, LowersASlipAboveTheHighest) {
  RateLimiter limiter(Options(10, RateLimiter::kMaxSlip + 1));
  Exhaust(&limiter, 10, kStart);
  EXPECT_EQ(CountMany(&limiter, RateLimiter::kMaxSlip - 1, kStart, nanoseconds(0)).truncated, 1);
}

TEST(RateLimiterTest, KindsAreCountedApart) {
  RateLimiter limiter(Options(10));
  Exhaust(&limiter, 10, kStart);
  for (const ResponseKind kind : {ResponseKind::kNegative, ResponseKind::kReferral, ResponseKind::kError}) {
    EXPECT_EQ(CountMany(&limiter, 20, kStart, nanoseconds(0), kClient, kind).sent, 10);
  }
}

TEST(RateLimiterTest, ClientsOfOnePrefixAreCountedTogether) {
  RateLimiter limiter(Options(10));
  Exhaust(&limiter, 10, kStart);
  EXPECT_EQ(CountMany(&limiter, 20, kStart, nanoseconds(0), Ip("192.0.2.255")).sent, 0);
  EXPECT_EQ(CountMany(&limiter, 20, kStart, nanoseconds(0), Ip("192.0.3.1")).sent, 10);
  EXPECT_EQ(CountMany(&limiter, 20, kStart, nanoseconds(0), Ip("2001:db8:0:ff::1")).sent, 10);
  EXPECT_EQ(CountMany(&limiter, 20, kStart, nanoseconds(0), Ip("2001:db8::1")).sent, 0);
  EXPECT_EQ(CountMany(&limiter, 20, kStart, nanoseconds(0), Ip("2001:db8:0:100::1")).sent, 10);
}

// 192.0.2.0/24 and c000:200::/56 begin with the same octets.
TEST(RateLimiterTest, FamiliesAreCountedApart) {
  RateLimiter limiter(Options(10));
  Exhaust(&limiter, 10, kStart);
  EXPECT_EQ(CountMany(&limiter, 20, kStart, nanoseconds(0), Ip("c000:200::1")).sent, 10);
}

TEST(RateLimiterTest, ExemptClientsAreNeverLimitedNorCounted) {
  RateLimitOptions options = Options(10);
  options.exempt = {IpPrefix::Parse("192.0.2.128/25").value(), IpPrefix::Parse("2001:db8::/32").value()};
  RateLimiter limiter(options);
  EXPECT_EQ(CountMany(&limiter, 1'000, kStart, nanoseconds(0), Ip("192.0.2.200")).sent, 1'000);
  EXPECT_EQ(CountMany(&limiter, 1'000, kStart, nanoseconds(0), Ip("2001:db8:1::1")).sent, 1'000);
  Exhaust(&limiter, 10, kStart);
}

TEST(RateLimiterTest, IdleBucketRefillsWithinASecondAndHoldsNoMore) {
  RateLimiter limiter(Options(100));
  Exhaust(&limiter, 100, kStart);
  EXPECT_EQ(CountMany(&limiter, 200, kStart + milliseconds(500), nanoseconds(0)).sent, 50);
  Exhaust(&limiter, 100, kStart + seconds(2));
  Exhaust(&limiter, 100, kStart + hours(24 * 365 * 10));
}

TEST(RateLimiterTest, IsReadyAtTheEpochAndBeforeIt) {
  RateLimiter limiter(Options(100));
  Exhaust(&limiter, 100, MonoTime{});
  EXPECT_NE(limiter.Count(kClient, ResponseKind::kData, MonoTime{seconds(-5)}), RateVerdict::kSend);
}

TEST(RateLimiterTest, StepBackOfTheClockNeitherOpensNorShutsABucketForLong) {
  RateLimiter limiter(Options(100));
  Exhaust(&limiter, 100, kStart);
  const MonoTime earlier = kStart - seconds(1000);
  EXPECT_EQ(CountMany(&limiter, 200, earlier, nanoseconds(0)).sent, 0);
  Exhaust(&limiter, 100, earlier + seconds(1));
}

TEST(RateLimiterTest, LateReadingsOfTheClockGiveNothingAway) {
  RateLimiter limiter(Options(200));
  Exhaust(&limiter, 200, kStart);
  Tally tally;
  for (int i = 0; i < 100'000; ++i) {
    const MonoTime now = kStart + i * microseconds(100);
    tally.Add(limiter.Count(kClient, ResponseKind::kData, i % 2 ? now - milliseconds(900) : now));
  }
  EXPECT_NEAR(static_cast<double>(tally.sent), 2'000, 20);
}

IpAddress ClientOfPrefix(uint32_t i) {
  return IpAddress::V4(std::array<uint8_t, 4>{static_cast<uint8_t>(i >> 16), static_cast<uint8_t>(i >> 8),
                                              static_cast<uint8_t>(i), 1});
}

// Those of the first 2^16 prefixes that share a bucket with one before.
std::vector<uint32_t> Colliding(uint64_t secret) {
  RateLimitOptions options = Options(1);
  options.secret = secret;
  RateLimiter limiter(options);
  std::vector<uint32_t> colliding;
  for (uint32_t i = 0; i < 1 << 16; ++i) {
    const RateVerdict verdict = limiter.Count(ClientOfPrefix(i), ResponseKind::kData, kStart);
    if (verdict != RateVerdict::kSend) colliding.push_back(i);
  }
  return colliding;
}

TEST(RateLimiterTest, SecretDecidesWhichPrefixesShareABucket) {
  const std::vector<uint32_t> colliding = Colliding(1);
  EXPECT_NE(Colliding(2), colliding);
  EXPECT_NE(Colliding(uint64_t{1} << 63), colliding);
  // 2^16 balls thrown into 2^18 bins: 2^16 - 2^18 (1 - e^(-1/4)) = 7 550, give or take 83.
  EXPECT_NEAR(static_cast<double>(colliding.size()), 7'550, 500);
}

// Four times as many prefixes as buckets: none has memory of its own, and a shared bucket still holds.
TEST(RateLimiterTest, ManyPrefixesNeedNoMoreMemory) {
  RateLimiter limiter(Options(200));
  const size_t before = testing::AllocationCount();
  Tally tally;
  for (uint32_t i = 0; i < 4 * RateLimiter::kBuckets; ++i) {
    tally.Add(limiter.Count(ClientOfPrefix(i), ResponseKind::kData, kStart));
  }
  EXPECT_EQ(testing::AllocationCount(), before);
  EXPECT_EQ(tally.sent, 4 * int64_t{RateLimiter::kBuckets});
}

TEST(RateLimiterTest, ThreadsShareOneLimit) {
  constexpr int kThreads = 4;
  constexpr int64_t kEach = 50'000;
  constexpr int64_t kRate = 10'000;
  RateLimiter limiter(Options(kRate, 3));
  std::array<Tally, kThreads> tallies;
  {
    std::array<std::jthread, kThreads> threads;
    for (size_t i = 0; i < kThreads; ++i) {
      threads[i] = std::jthread([&, i] { tallies[i] = CountMany(&limiter, kEach, kStart, nanoseconds(0)); });
    }
  }
  Tally sum;
  for (const Tally& tally : tallies) {
    sum.sent += tally.sent;
    sum.truncated += tally.truncated;
  }
  EXPECT_EQ(sum.sent, kRate);
  EXPECT_EQ(sum.truncated, (kThreads * kEach - kRate) / 3);
}

}  // namespace
}  // namespace perigee::dns
