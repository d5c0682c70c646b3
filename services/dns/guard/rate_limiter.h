// Response rate limiting: keeps forged sources from making this server a reflector.
//
// As in BIND and Knot, answers are counted per client prefix (/24, /56) and kind. Each pair has a bucket
// that holds one second's worth; when it is empty the answer is dropped, but every `slip`-th one leaves
// truncated, so that a real client behind the forged address can ask again over TCP.
//
// Memory is a table of fixed size, keyed with a secret so that collisions can't be planned; two pairs that
// share a bucket share a limit. Thread-safe without locks: the workers of all cores use one.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <vector>

#include "lib/base/address.h"
#include "lib/base/clock.h"

namespace perigee::dns {

enum class ResponseKind : uint8_t { kData, kNegative, kReferral, kError };

enum class RateVerdict : uint8_t { kSend, kTruncate, kDrop };

struct RateLimitOptions {
  uint32_t responses_per_second = 200;
  uint32_t slip = 2;
  std::vector<IpPrefix> exempt;
  uint64_t secret = 0;
};

class RateLimiter {
 public:
  static constexpr size_t kBuckets = 1 << 18;  // 8 octets each

  explicit RateLimiter(RateLimitOptions options);
  ~RateLimiter();

  // Counts one answer over UDP without a valid cookie. Never allocates.
  RateVerdict Count(const IpAddress& client, ResponseKind kind, MonoTime now);

 private:
  struct Table;
  const RateLimitOptions options_;
  const std::unique_ptr<Table> table_;
};

}  // namespace perigee::dns
