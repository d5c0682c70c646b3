#include "services/dns/guard/rate_limiter.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <utility>

namespace perigee::dns {
namespace {

// A bucket is one number, so that one compare-and-swap is the whole update. Its upper 56 bits are the time at
// which it will be full again, in ticks (the "theoretical arrival time" of the generic cell rate algorithm):
// an idle bucket refills with nobody's help, and zero is a full one. Its lower 8 bits count what was withheld
// since the last truncated answer.
constexpr int kSlipBits = 8;
constexpr uint64_t kSlipMask = (1 << kSlipBits) - 1;

// 8 ns: 56 bits last 18 years after boot, and the highest rate is still met within 1 %.
using Ticks = std::chrono::duration<int64_t, std::ratio<8, 1'000'000'000>>;
constexpr uint64_t kTicksPerSecond = Ticks(std::chrono::seconds(1)).count();

static_assert(RateLimiter::kMaxSlip <= kSlipMask);

struct Bucket {
  uint64_t full_at;
  uint64_t withheld;
};

Bucket Unpack(uint64_t word) { return {word >> kSlipBits, word & kSlipMask}; }
uint64_t Pack(const Bucket& bucket) { return bucket.full_at << kSlipBits | bucket.withheld; }

uint64_t ToTicks(MonoTime now) {
  return static_cast<uint64_t>(
      std::max<int64_t>(0, std::chrono::duration_cast<Ticks>(now.time_since_epoch()).count()));
}

// Whether the bucket had an answer left.
bool Take(uint64_t now, uint64_t interval, uint64_t burst, Bucket* bucket) {
  // No bucket can be this far ahead unless time went back: believe the clock, but give nothing away.
  if (bucket->full_at > now + burst + kTicksPerSecond) bucket->full_at = now + burst;
  const uint64_t full_at = std::max(bucket->full_at, now) + interval;
  if (full_at > now + burst) return false;
  bucket->full_at = full_at;
  return true;
}

RateVerdict Withhold(uint32_t slip, Bucket* bucket) {
  if (slip == 0 || ++bucket->withheld < slip) return RateVerdict::kDrop;
  bucket->withheld = 0;
  return RateVerdict::kTruncate;
}

RateLimitOptions WithinLimits(RateLimitOptions options) {
  options.responses_per_second = std::min(options.responses_per_second, RateLimiter::kMaxResponsesPerSecond);
  options.slip = std::min(options.slip, RateLimiter::kMaxSlip);
  return options;
}

uint64_t Interval(uint32_t responses_per_second) {
  return responses_per_second == 0 ? 0 : kTicksPerSecond / responses_per_second;
}

SipHashKey ToKey(uint64_t secret) {
  SipHashKey key{};
  for (size_t i = 0; i < sizeof(secret); ++i) key[i] = static_cast<uint8_t>(secret >> (8 * i));
  return key;
}

}  // namespace

struct RateLimiter::Table {
  std::array<std::atomic<uint64_t>, kBuckets> buckets{};
};

RateLimiter::RateLimiter(RateLimitOptions options)
    : options_(WithinLimits(std::move(options))),
      key_(ToKey(options_.secret)),
      interval_(Interval(options_.responses_per_second)),
      burst_(interval_ * options_.responses_per_second),
      table_(std::make_unique<Table>()) {}

RateLimiter::~RateLimiter() = default;

bool RateLimiter::IsExempt(const IpAddress& client) const {
  return std::any_of(options_.exempt.begin(), options_.exempt.end(),
                     [&](const IpPrefix& prefix) { return prefix.Contains(client); });
}

size_t RateLimiter::BucketOf(const IpAddress& client, ResponseKind kind) const {
  constexpr size_t kPrefixOctets = 8;  // no client prefix is longer
  const IpPrefix prefix = ClientPrefix(client);
  const auto octets = prefix.address().bytes();
  std::array<uint8_t, 1 + kPrefixOctets> pair{};
  pair[0] = static_cast<uint8_t>(static_cast<uint8_t>(kind) << 1 | (client.is_v6() ? 1 : 0));
  std::copy_n(octets.begin(), std::min(octets.size(), kPrefixOctets), pair.begin() + 1);
  return SipHash24(key_, pair) % kBuckets;
}

RateVerdict RateLimiter::Count(const IpAddress& client, ResponseKind kind, MonoTime now) {
  if (interval_ == 0 || IsExempt(client)) return RateVerdict::kSend;
  std::atomic<uint64_t>& word = table_->buckets[BucketOf(client, kind)];
  const uint64_t ticks = ToTicks(now);
  uint64_t seen = word.load(std::memory_order_relaxed);
  while (true) {
    Bucket bucket = Unpack(seen);
    const bool taken = Take(ticks, interval_, burst_, &bucket);
    const RateVerdict verdict = taken ? RateVerdict::kSend : Withhold(options_.slip, &bucket);
    if (word.compare_exchange_weak(seen, Pack(bucket), std::memory_order_relaxed)) return verdict;
  }
}

}  // namespace perigee::dns
