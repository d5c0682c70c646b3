// What has been measured: prefix -> round-trip time per replica and the decision that followed.
//
// A set-associative table of fixed size: a prefix hashes to one set of kWays rows, and when they are all
// taken the row measured longest ago goes. So memory is bounded and laid out once, a look-up touches one set,
// and nothing is ever rehashed. Memory: (5 + replicas) * 4 bytes a row, made real page by page as rows are
// used; 1,000,000 prefixes and 9 replicas take 56 MB.
//
// Threads: Find from any number of threads, without a lock (a sequence lock per set: a reader repeats itself
// only while that very set is being written, which takes some nanoseconds); Put from one thread at a time.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "lib/base/address.h"
#include "lib/base/clock.h"
#include "services/dns/steering/choose.h"
#include "services/dns/steering/replica.h"

namespace perigee::dns {

// A prefix's row. Only the first `replicas` samples of the map count. Rtt is kept in microseconds up to 268
// s.
struct MapRow {
  Decision decision;
  MonoTime measured_at{};
  std::array<Sample, kMaxReplicas> samples{};
};

class RttMap {
 public:
  static constexpr size_t kWays = 8;

  // Room for at most `max_prefixes` rows (at least kWays). `epoch` is a time not later than any measured_at.
  RttMap(size_t replicas, size_t max_prefixes, MonoTime epoch);
  ~RttMap();
  RttMap(const RttMap&) = delete;
  RttMap& operator=(const RttMap&) = delete;

  // Fills `row` and returns true when the prefix is known. Prefixes are at most 64 bits long.
  bool Find(const IpPrefix& prefix, MapRow* row) const;

  // Adds or replaces the prefix's row. measured_at is kept in whole seconds.
  void Put(const IpPrefix& prefix, const MapRow& row);

  size_t replicas() const { return replicas_; }
  // Rows in use.
  size_t size() const { return size_.load(std::memory_order_relaxed); }
  size_t capacity() const { return sets_ * kWays; }

 private:
  uint32_t* SetOf(const IpPrefix& prefix) const;
  bool ReadOnce(const uint32_t* set, uint32_t sequence, const IpPrefix& prefix, MapRow* row,
                bool* found) const;
  uint32_t* RowToReplace(uint32_t* set, const IpPrefix& prefix);

  const size_t replicas_;
  const size_t row_words_;
  const size_t set_words_;
  const size_t sets_;
  const MonoTime epoch_;
  uint32_t* words_;  // sets_ * set_words_, from mmap: untouched pages cost nothing
  std::atomic<size_t> size_{0};

 public:
  // For the one who saves the map. A slot is a row's place, 0 to capacity() - 1; a prefix keeps its slot
  // until its row goes. All are thread-safe.

  // Fills both and returns true when the slot is in use. Without a lock, as Find.
  bool ReadSlot(size_t slot, IpPrefix* prefix, MapRow* row) const;
  // The prefix's slot, or capacity() when it is not known.
  size_t SlotOf(const IpPrefix& prefix) const;
  // Slots from `*from` on that were put or marked since they were last taken; they count as taken. At most
  // `max`, (63 more at the end of a word), in order; `*from` moves on, to capacity() at the end.
  void TakeDirty(size_t* from, size_t max, std::vector<size_t>* slots);
  void MarkDirty(size_t slot);

 private:
  size_t SlotAt(const uint32_t* set, const uint32_t* row) const;

  std::vector<std::atomic<uint64_t>> dirty_;  // a bit per slot
};

}  // namespace perigee::dns
