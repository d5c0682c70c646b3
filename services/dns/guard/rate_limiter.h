// Response rate limiting: keeps forged sources from making this server a reflector.
//
// As in BIND and Knot, answers are counted per client prefix (/24, /56) and kind. Each pair has a bucket
// that holds one second's worth; when it is empty the answer is dropped, but every `slip`-th one leaves
// truncated, so that a real client behind the forged address can ask again over TCP.
//
// Memory is a table of fixed size, keyed with a secret so that collisions can't be planned; two pairs that
// share a bucket share a limit. Thread-safe without locks: the workers of all cores use one.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "lib/base/address.h"
#include "lib/base/clock.h"
#include "services/dns/guard/siphash.h"

namespace perigee::dns {

enum class ResponseKind : uint8_t { kData, kNegative, kReferral, kError };

enum class RateVerdict : uint8_t { kSend, kTruncate, kDrop };

struct RateLimitOptions {
  uint32_t responses_per_second = 200;  // 0: no limit; at most RateLimiter::kMaxResponsesPerSecond
  uint32_t slip = 2;                    // 0: never, 1: all leave truncated; at most RateLimiter::kMaxSlip
  std::vector<IpPrefix> exempt;         // looked through one by one for each answer: a few
  uint64_t secret = 0;                  // random, so that nobody can aim at another's bucket
};

class RateLimiter {
 public:
  static constexpr size_t kBuckets = 1 << 18;  // 8 octets each
  static constexpr uint32_t kMaxResponsesPerSecond = 1'000'000;
  static constexpr uint32_t kMaxSlip = 255;

  // Options above their limits are lowered to them.
  explicit RateLimiter(RateLimitOptions options);
  ~RateLimiter();

  // Counts one answer over UDP without a valid cookie. Never allocates. The threads' `now` may differ by up
  // to a second; however far the clock steps back, a bucket is full again two seconds later.
  RateVerdict Count(const IpAddress& client, ResponseKind kind, MonoTime now);

 private:
  struct Table;

  bool IsExempt(const IpAddress& client) const;
  size_t BucketOf(const IpAddress& client, ResponseKind kind) const;

  const RateLimitOptions options_;
  const SipHashKey key_;
  const uint64_t interval_;  // between two answers at the limit, in ticks
  const uint64_t burst_;     // what a full bucket holds, in ticks
  const std::unique_ptr<Table> table_;
};

}  // namespace perigee::dns
