// How much is probed: token buckets over all clients, over those among them whose address may be forged, and
// per client prefix (/24 or /56).
//
// Each bucket is a single point in time (the generic cell rate algorithm): the moment at which it would be
// full again. A bucket that is full is the same as none, so forgetting idle ones loses nothing.
#pragma once

#include <chrono>
#include <cstdint>
#include <list>
#include <mutex>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "lib/base/address.h"
#include "lib/base/clock.h"
#include "lib/probe_policy/presence.h"

namespace perigee {

struct ProbeBudgetOptions {
  uint32_t packets_per_second = 1000;
  // The part of them for clients of which nobody knows whether they are there.
  uint32_t unproven_packets_per_second = 500;
  uint32_t packets_per_prefix_per_second = 20;
  // The most prefixes remembered; the one idle for longest goes first.
  size_t max_prefixes = 65'536;
};

// One second's worth may come at once, but never less than this, so that the dearest measurement (10 echoes
// and 4 ports) fits into any budget.
inline constexpr uint32_t kMinimumBurst = 14;

// How much of the bucket of all clients may be used up: half of it is left by what is not urgent.
enum class BudgetUse : uint8_t { kWhole, kHalf };

// What became of an attempt to take from both buckets.
enum class BudgetVerdict : uint8_t { kTaken, kPrefixEmpty, kUnprovenEmpty, kGlobalEmpty };

// Thread-safe. `now` may go back between threads; a bucket never does.
class ProbeBudget {
 public:
  // Rates of 0 count as 1.
  explicit ProbeBudget(const ProbeBudgetOptions& options);

  struct Attempt {
    BudgetVerdict verdict{};
    std::chrono::nanoseconds wait{};  // until that bucket will do
  };
  // Takes `packets` for a client from all its buckets, or nothing from any.
  Attempt TryTake(const IpAddress& client, Presence presence, uint32_t packets, MonoTime now,
                  BudgetUse use = BudgetUse::kWhole);
  // The same for one that is proven as OK, or ResourceExhausted naming the bucket that is empty and when it
  // will do.
  absl::Status Take(const IpAddress& client, uint32_t packets, MonoTime now);

  // Gives back what was taken by Take and not sent.
  void Return(const IpAddress& client, uint32_t packets);

  size_t prefixes() const;

 private:
  struct Rate {
    std::chrono::nanoseconds per_packet;
    std::chrono::nanoseconds burst;
  };
  using Idle = std::list<std::pair<IpPrefix, MonoTime>>;  // least recently used first; the time of being full

  static Rate RateOf(uint32_t packets_per_second);
  MonoTime& BucketOf(const IpPrefix& prefix);

  const Rate global_rate_;
  const Rate unproven_rate_;
  const Rate prefix_rate_;
  const size_t max_prefixes_;

  mutable std::mutex mutex_;
  MonoTime global_full_at_{};
  MonoTime unproven_full_at_{};
  Idle idle_;
  absl::flat_hash_map<IpPrefix, Idle::iterator> buckets_;
};

}  // namespace perigee
