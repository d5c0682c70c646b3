// What one worker thread counts: plain numbers of its own, that a scrape may read at any time.
//
// Each block is written by one thread and read by any: relaxed loads and stores, no read-modify-write, no
// sharing of cache lines. A scrape adds up all blocks.
#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <list>
#include <memory>
#include <mutex>

#include "lib/dns_wire/constants.h"
#include "lib/dns_wire/query.h"
#include "lib/metrics/counter.h"
#include "services/dns/steering/choose.h"

namespace perigee::dns {

// Why a query got no answer, or not the one that it asked for.
enum class DropReason : uint8_t {
  kNotAQuery,    // too short, or QR=1
  kRateLimited,  // dropped by response rate limiting
  kSlipped,      // answered truncated by response rate limiting
  kParkLimit,    // too many queries wait for measurements
  kSourcePort0,  // nobody could receive the answer
  kCutDatagram,  // longer than any query: what is left of it is answered, most often with FORMERR
  kNotSent,      // the kernel took no answer over UDP
  kCount,
};

// What became of a query's client subnet (RFC 7871).
enum class SubnetUse : uint8_t {
  kNone,        // the query had none
  kUsed,        // answered for that network
  kWithheld,    // a source prefix of 0: the client wants to be unknown
  kSpecial,     // private or otherwise special: answered for the resolver
  kNotTrusted,  // the resolver is not believed
  kCount,
};

struct alignas(64) QueryCounters {
  static constexpr size_t kTypes = 65;    // by number; the last is every type from 64 on
  static constexpr size_t kRcodes = 25;   // by number; the last is every code from 24 on
  static constexpr size_t kReasons = 16;  // by Reason's number

  std::array<Counter, 2> by_protocol;
  std::array<Counter, kTypes> by_type;
  std::array<Counter, kRcodes> by_rcode;
  std::array<Counter, kReasons> by_reason;  // of steered answers
  CountersBy<DropReason> by_drop;
  CountersBy<SubnetUse> by_subnet;
  Counter truncated, cookies_valid, cookies_invalid;
  // From the reading of the query to the sending of its answer; parked ones included when they are sent.
  LatencyCounters latency;

  void CountType(RrType type);
  void CountRcode(Rcode rcode);
  void CountReason(Reason reason);
  void CountDrop(DropReason reason) { by_drop[reason].Add(); }
  // `count` answers that took the same time: a batch.
  void CountLatency(std::chrono::nanoseconds took, uint64_t count = 1) { latency.Count(took, count); }
};

// Every worker's block; they stay until the registry goes.
class QueryCounterRegistry {
 public:
  // For one thread to write.
  QueryCounters& NewBlock();
  // Calls `see(const QueryCounters&)` for every block.
  template <typename See>
  void ForEach(See see) const {
    const std::lock_guard lock(mutex_);
    for (const auto& block : blocks_) see(*block);
  }

 private:
  mutable std::mutex mutex_;
  std::list<std::unique_ptr<QueryCounters>> blocks_;
};

}  // namespace perigee::dns
