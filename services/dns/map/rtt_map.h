// What has been measured: prefix -> round-trip time per replica and the decision that followed.
//
// A set-associative table of fixed size: a prefix hashes to one set of kWays rows, and when they are all
// taken the row measured longest ago goes. So memory is bounded and laid out once, and nothing is ever
// rehashed. A set's keys share one cache line and a row starts one of its own, with the decision and the
// first twelve replicas' samples in it: a look-up touches two lines. Memory, made real page by page as rows
// are used: 8 bytes a row and 16 + 4 * replicas more, rounded up to a multiple of 64; 1,000,000 prefixes and
// up to 12 replicas take 72 MB.
//
// Of a fleet of more than kWholeFleet replicas a row keeps kSparseSamples: that of the decided replica, then
// the nearest measured, then others of which something is known. A row takes 136 bytes then, however many
// replicas there are, and what is left out reads as unknown.
//
// A prefix is found under exactly its own length. A longer one is no answer for it, being one part of it
// alone, nor a shorter one, whose measured address may be far away: a scope as long as the key is what was
// decided (RFC 7871 §7.2.1).
//
// Threads: Find and AskRefresh from any number of threads, without a lock (a sequence lock per set: a reader
// repeats itself only while that very set is being written, which takes some nanoseconds); Put from one
// thread at a time.
#pragma once

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
  // The choice with all replicas well; see ChooseHome.
  Decision decision;
  // ChoiceRules::Fingerprint of the rules by which it was made.
  uint16_t rules = 0;
  MonoTime measured_at{};
  // At least as many as the fleet has replicas, once a map has filled it in.
  Samples samples = Samples(kWholeFleet);
};

// What most queries need of a row.
struct MapHit {
  Decision decision;
  uint16_t rules = 0;
  MonoTime measured_at{};
  Sample sample;  // of the decided replica
};

class RttMap {
 public:
  static constexpr size_t kWays = 8;
  // Of a large fleet's row, as many as fit into two cache lines. Those that one measurement asks (selector.h)
  // are fewer.
  static constexpr size_t kSparseSamples = 18;

  // Room for at most `max_prefixes` rows (at least kWays). `epoch` is a time not later than any measured_at.
  RttMap(size_t replicas, size_t max_prefixes, MonoTime epoch);
  ~RttMap();
  RttMap(const RttMap&) = delete;
  RttMap& operator=(const RttMap&) = delete;

  // Fills `row` or `hit` and returns true when the prefix is known. Prefixes are at most 64 bits long.
  bool Find(const IpPrefix& prefix, MapRow* row) const;
  bool Find(const IpPrefix& prefix, MapHit* hit) const;

  // A hint, some look-ups ahead, that Find(prefix) is coming: memory is a hundred times slower than the look
  // at it. The row can be fetched once the keys are there.
  void PrefetchKeys(const IpPrefix& prefix) const;
  void PrefetchRow(const IpPrefix& prefix) const;

  // True for one caller within `interval` (whole seconds), and only when the prefix is known: that one may
  // ask for it to be measured again. A row that is Put may be asked for anew.
  bool AskRefresh(const IpPrefix& prefix, MonoTime now, std::chrono::seconds interval);

  // Adds or replaces the prefix's row. measured_at is kept in whole seconds.
  void Put(const IpPrefix& prefix, const MapRow& row);

  size_t replicas() const { return replicas_; }
  // Rows in use.
  size_t size() const { return size_.load(std::memory_order_relaxed); }
  size_t capacity() const { return sets_ * kWays; }
  // Rows that gave way to another prefix's.
  uint64_t evictions() const { return evictions_.load(std::memory_order_relaxed); }

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
  struct Key;

  template <typename Look>
  bool Consistently(const uint32_t* set, Look look) const;
  void Unpack(const uint32_t* row, MapRow* out) const;
  bool sparse() const { return replicas_ > kWholeFleet; }
  void UnpackSamples(const uint32_t* row, Samples* out) const;
  void Keep(const MapRow& in);
  void PackSamples(const MapRow& in, uint32_t* row);

  static size_t WayOf(const uint32_t* set, const Key& key, size_t from);
  template <typename Visit>
  bool Read(const IpPrefix& prefix, Visit visit) const;
  size_t SlotAt(const uint32_t* set, size_t way) const;
  uint32_t* SetOf(const Key& key) const;
  uint32_t* Row(uint32_t* set, size_t way) const;
  bool Holds(uint32_t* set, size_t way, const Key& key) const;
  size_t WayToReplace(uint32_t* set, const Key& key) const;
  uint32_t SinceEpoch(MonoTime time) const;

  const size_t replicas_;
  const size_t row_words_;
  const size_t set_words_;
  const size_t sets_;
  const MonoTime epoch_;
  uint32_t* words_;  // sets_ * set_words_, from mmap: untouched pages cost nothing
  std::atomic<size_t> size_{0};
  std::atomic<uint64_t> evictions_{0};
  std::vector<std::atomic<uint64_t>> dirty_;  // a bit per slot
  // Of the row that is put, those whose samples are kept: see Keep.
  std::vector<ReplicaId> kept_;
};

}  // namespace perigee::dns
