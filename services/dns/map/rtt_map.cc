#include "services/dns/map/rtt_map.h"

#include <sys/mman.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cassert>
#include <new>
#include <span>
#include <thread>

namespace perigee::dns {
namespace {

constexpr size_t kLineWords = 16;  // 64 bytes

// A set is a line of keys and kWays rows of whole lines.
//   word 0       sequence, odd while the set is being written
//   words 1, 2   a byte per way: 0 unused, 1 + length of an IPv4 prefix, 34 + length of an IPv6 one
//   words 4…11   a word per way: the prefix's first 32 bits
constexpr size_t kSequence = 0, kShapes = 1, kHigh = 4;
constexpr uint32_t kShapeV4 = 1, kShapeV6 = 34;

// A row:
//   word 0       the prefix's second 32 bits
//   word 1       bits 0-9 decided replica, bits 10-15 reason, bits 16-31 fingerprint of the rules
//   word 2       seconds from the epoch to the measurement
//   word 3       when a refresh was asked for last: 1 + seconds from the epoch; 0 never
//   words 4…     one per replica: bits 28-31 method, bits 0-27 RTT in microseconds
// or, of a large fleet:
//   words 4…21   of replicas that words 22…30 name, 16 bits each; the first is the decided one
constexpr size_t kLow = 0, kDecision = 1, kMeasuredAt = 2, kAskedAt = 3, kSamples = 4;
constexpr size_t kNames = kSamples + RttMap::kSparseSamples;
constexpr size_t kSparseRow = kNames + RttMap::kSparseSamples / 2;
static_assert(RttMap::kSparseSamples % 2 == 0 && kSparseRow <= 2 * kLineWords);

constexpr int kReasonShift = 10;
static_assert(kMaxReplicas <= 1u << kReasonShift && kReasons <= 1u << (16 - kReasonShift));

// Many more than a Put takes.
constexpr int kReadAttempts = 64;
constexpr int kMethodShift = 28;
constexpr uint32_t kMaxRtt = (1u << kMethodShift) - 1;

// All words are read and written as atomics. Acquire on every read keeps the closing read of the sequence
// after them, release on every write keeps the opening write before them (H.-J. Boehm, "Can seqlocks get
// along with programming language memory models?", MSPC 2012); on x86 both are plain moves.
uint32_t Load(const uint32_t* word) {
  return std::atomic_ref<uint32_t>(*const_cast<uint32_t*>(word)).load(std::memory_order_acquire);
}
void Store(uint32_t* word, uint32_t value) {
  std::atomic_ref<uint32_t>(*word).store(value, std::memory_order_release);
}

uint32_t ShapeOf(const uint32_t* set, size_t way) {
  return Load(set + kShapes + way / 4) >> (8 * (way % 4)) & 0xff;
}
void StoreShape(uint32_t* set, size_t way, uint32_t shape) {
  uint32_t* word = set + kShapes + way / 4;
  const auto shift = 8 * (way % 4);
  Store(word, (Load(word) & ~(uint32_t{0xff} << shift)) | shape << shift);
}

uint32_t Pack(const Sample& sample) {
  const auto us = std::clamp<int64_t>(sample.rtt.count(), 0, kMaxRtt);
  return static_cast<uint32_t>(sample.method) << kMethodShift | static_cast<uint32_t>(us);
}
Sample UnpackSample(uint32_t word) {
  return {Rtt(word & kMaxRtt), static_cast<Method>(word >> kMethodShift)};
}

uint32_t Pack(const Decision& decision, uint16_t rules) {
  return static_cast<uint32_t>(Index(decision.replica)) |
         static_cast<uint32_t>(decision.reason) << kReasonShift | uint32_t{rules} << 16;
}
Decision UnpackDecision(uint32_t word) {
  return {static_cast<ReplicaId>(word & ((1u << kReasonShift) - 1)),
          static_cast<Reason>((word & 0xffff) >> kReasonShift)};
}
size_t NamedAt(const uint32_t* row, size_t i) {
  return Load(row + kNames + i / 2) >> (16 * (i % 2)) & 0xffff;
}
uint16_t UnpackRules(uint32_t word) { return static_cast<uint16_t>(word >> 16); }

constexpr size_t RoundUpToLine(size_t words) { return (words + kLineWords - 1) / kLineWords * kLineWords; }

}  // namespace

struct RttMap::Key {
  explicit Key(const IpPrefix& prefix) {
    assert(prefix.length() <= 64);
    const auto bytes = prefix.address().bytes();
    const auto word = [&](size_t at) {
      return uint32_t{bytes[at]} << 24 | uint32_t{bytes[at + 1]} << 16 | uint32_t{bytes[at + 2]} << 8 |
             uint32_t{bytes[at + 3]};
    };
    const bool v4 = prefix.address().is_v4();
    shape = (v4 ? kShapeV4 : kShapeV6) + static_cast<uint32_t>(prefix.length());
    high = word(0);
    low = v4 ? 0 : word(4);
  }

  // With the finaliser of MurmurHash3: neighbouring prefixes are the rule.
  uint64_t Hash() const {
    uint64_t h = (uint64_t{high} << 32 | low) ^ uint64_t { shape } << 17;
    h = (h ^ h >> 33) * 0xff51afd7ed558ccdu;
    h = (h ^ h >> 33) * 0xc4ceb9fe1a85ec53u;
    return h ^ h >> 33;
  }

  // The other way round; of a torn key it makes some prefix or other.
  static IpPrefix PrefixOf(uint32_t shape, uint32_t high, uint32_t low) {
    std::array<uint8_t, 16> bytes{};
    for (size_t i = 0; i < 4; ++i) {
      bytes[i] = static_cast<uint8_t>(high >> (24 - 8 * i));
      bytes[4 + i] = static_cast<uint8_t>(low >> (24 - 8 * i));
    }
    const std::span<const uint8_t, 16> all(bytes);
    if (shape < kShapeV6) return {IpAddress::V4(all.first<4>()), static_cast<int>(shape - kShapeV4)};
    return {IpAddress::V6(all), static_cast<int>(std::min(shape - kShapeV6, 64u))};
  }

  uint32_t shape, high, low;
};

RttMap::RttMap(size_t replicas, size_t max_prefixes, MonoTime epoch)
    : replicas_(replicas),
      row_words_(RoundUpToLine(sparse() ? kSparseRow : kSamples + replicas)),
      set_words_(kLineWords + kWays * row_words_),
      sets_(std::max<size_t>(1, max_prefixes / kWays)),
      epoch_(epoch),
      dirty_((capacity() + 63) / 64) {
  void* memory = mmap(nullptr, sets_ * set_words_ * sizeof(uint32_t), PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (memory == MAP_FAILED) throw std::bad_alloc();
  // Look-ups go all over it. Where huge pages are not to be had it is only slower.
  madvise(memory, sets_ * set_words_ * sizeof(uint32_t), MADV_HUGEPAGE);
  words_ = static_cast<uint32_t*>(memory);
}

RttMap::~RttMap() { munmap(words_, sets_ * set_words_ * sizeof(uint32_t)); }

uint32_t* RttMap::SetOf(const Key& key) const {
  const auto set = static_cast<size_t>((static_cast<unsigned __int128>(key.Hash()) * sets_) >> 64);
  return words_ + set * set_words_;
}

uint32_t* RttMap::Row(uint32_t* set, size_t way) const { return set + kLineWords + way * row_words_; }

uint32_t RttMap::SinceEpoch(MonoTime time) const {
  const auto since = std::chrono::duration_cast<std::chrono::seconds>(time - epoch_);
  return static_cast<uint32_t>(std::max<int64_t>(0, since.count()));
}

// What `look` says of the set, once nobody wrote while it looked.
template <typename Look>
bool RttMap::Consistently(const uint32_t* set, Look look) const {
  for (int attempt = 1;; ++attempt) {
    const uint32_t sequence = Load(set + kSequence);
    if (sequence % 2 == 0) {
      const bool found = look();
      if (Load(set + kSequence) == sequence) return found;
    }
    // The writer lost its core in the middle of a row: lend it ours.
    if (attempt % kReadAttempts == 0) std::this_thread::yield();
  }
}

// The first way from `from` on whose key, but for the part of it in the row, is this one; kWays if none.
size_t RttMap::WayOf(const uint32_t* set, const Key& key, size_t from) {
  size_t way = from;
  while (way < kWays && (Load(set + kHigh + way) != key.high || ShapeOf(set, way) != key.shape)) ++way;
  return way;
}

void RttMap::PrefetchKeys(const IpPrefix& prefix) const { __builtin_prefetch(SetOf(Key(prefix))); }

void RttMap::PrefetchRow(const IpPrefix& prefix) const {
  const Key key(prefix);
  uint32_t* set = SetOf(key);
  const size_t way = WayOf(set, key, 0);
  if (way < kWays) __builtin_prefetch(Row(set, way));
}

// Calls `visit` with the set, the way and the row of the prefix, if it has one; again when it was written
// meanwhile.
template <typename Visit>
bool RttMap::Read(const IpPrefix& prefix, Visit visit) const {
  const Key key(prefix);
  uint32_t* set = SetOf(key);
  return Consistently(set, [&] {
    for (size_t way = WayOf(set, key, 0); way < kWays; way = WayOf(set, key, way + 1)) {
      uint32_t* row = Row(set, way);
      if (Load(row + kLow) != key.low) continue;
      visit(set, way, row);
      return true;
    }
    return false;
  });
}

bool RttMap::Find(const IpPrefix& prefix, MapHit* hit) const {
  return Read(prefix, [this, hit](const uint32_t*, size_t, const uint32_t* row) {
    const uint32_t decision = Load(row + kDecision);
    hit->decision = UnpackDecision(decision);
    hit->rules = UnpackRules(decision);
    hit->measured_at = epoch_ + std::chrono::seconds(Load(row + kMeasuredAt));
    // While the row is being written its replica may be any number.
    const size_t replica = sparse() ? 0 : std::min(Index(hit->decision.replica), replicas_ - 1);
    hit->sample = UnpackSample(Load(row + kSamples + replica));
  });
}

void RttMap::Unpack(const uint32_t* row, MapRow* out) const {
  const uint32_t decision = Load(row + kDecision);
  out->decision = UnpackDecision(decision);
  out->rules = UnpackRules(decision);
  out->measured_at = epoch_ + std::chrono::seconds(Load(row + kMeasuredAt));
  UnpackSamples(row, &out->samples);
}

void RttMap::UnpackSamples(const uint32_t* row, Samples* out) const {
  if (!sparse()) {
    for (size_t i = 0; i < replicas_; ++i) (*out)[i] = UnpackSample(Load(row + kSamples + i));
    return;
  }
  out->assign(replicas_, {});
  for (size_t i = 0; i < kSparseSamples; ++i) {
    // While the row is being written they may be any numbers.
    const size_t replica = std::min(NamedAt(row, i), replicas_ - 1);
    const Sample sample = UnpackSample(Load(row + kSamples + i));
    if (sample.method != Method::kUnknown) (*out)[replica] = sample;
  }
}

// Chooses the replicas of a large fleet whose samples are kept, at most kSparseSamples.
void RttMap::Keep(const MapRow& in) {
  const size_t decided = Index(in.decision.replica);
  kept_.assign(1, in.decision.replica);
  for (size_t i = 0; i < replicas_; ++i) {
    if (i != decided && in.samples[i].method != Method::kUnknown) kept_.push_back(ToReplicaId(i));
  }
  const auto distance = [&](ReplicaId id) {
    const Sample& sample = in.samples[Index(id)];
    return sample.measured() ? sample.rtt : Rtt::max();
  };
  const size_t count = std::min(kept_.size(), kSparseSamples);
  std::partial_sort(kept_.begin() + 1, kept_.begin() + static_cast<ptrdiff_t>(count), kept_.end(),
                    [&](ReplicaId a, ReplicaId b) { return distance(a) < distance(b); });
  kept_.resize(count);
}

void RttMap::PackSamples(const MapRow& in, uint32_t* row) {
  if (!sparse()) {
    for (size_t i = 0; i < replicas_; ++i) Store(row + kSamples + i, Pack(in.samples[i]));
    return;
  }
  std::array<uint32_t, kSparseSamples / 2> names{};
  for (size_t i = 0; i < kSparseSamples; ++i) {
    Store(row + kSamples + i, i < kept_.size() ? Pack(in.samples[Index(kept_[i])]) : 0);
    if (i < kept_.size()) names[i / 2] |= static_cast<uint32_t>(Index(kept_[i])) << (16 * (i % 2));
  }
  for (size_t i = 0; i < names.size(); ++i) Store(row + kNames + i, names[i]);
}

bool RttMap::Find(const IpPrefix& prefix, MapRow* out) const {
  return Read(prefix, [this, out](const uint32_t*, size_t, const uint32_t* row) { Unpack(row, out); });
}

bool RttMap::ReadSlot(size_t slot, IpPrefix* prefix, MapRow* out) const {
  uint32_t* set = words_ + slot / kWays * set_words_;
  const size_t way = slot % kWays;
  const uint32_t* row = Row(set, way);
  return Consistently(set, [&] {
    const uint32_t shape = ShapeOf(set, way);
    if (shape == 0) return false;
    *prefix = Key::PrefixOf(shape, Load(set + kHigh + way), Load(row + kLow));
    Unpack(row, out);
    return true;
  });
}

size_t RttMap::SlotAt(const uint32_t* set, size_t way) const {
  return static_cast<size_t>(set - words_) / set_words_ * kWays + way;
}

size_t RttMap::SlotOf(const IpPrefix& prefix) const {
  size_t slot = capacity();
  const bool known =
      Read(prefix, [&](const uint32_t* set, size_t way, const uint32_t*) { slot = SlotAt(set, way); });
  return known ? slot : capacity();
}

void RttMap::MarkDirty(size_t slot) {
  dirty_[slot / 64].fetch_or(uint64_t{1} << (slot % 64), std::memory_order_release);
}

void RttMap::TakeDirty(size_t* from, size_t max, std::vector<size_t>* slots) {
  size_t word = *from / 64;
  for (; word < dirty_.size() && slots->size() < max; ++word) {
    if (dirty_[word].load(std::memory_order_relaxed) == 0) continue;
    uint64_t bits = dirty_[word].exchange(0, std::memory_order_acquire);
    for (; bits != 0; bits &= bits - 1) {
      slots->push_back(word * 64 + static_cast<size_t>(std::countr_zero(bits)));
    }
  }
  *from = std::min(word * 64, capacity());
}

bool RttMap::AskRefresh(const IpPrefix& prefix, MonoTime now, std::chrono::seconds interval) {
  // Outside the sequence lock: should the row be given to another prefix at this very moment, that one's next
  // refresh waits for an interval, and nothing else happens.
  uint32_t* row = nullptr;
  if (!Read(prefix, [&row](uint32_t*, size_t, uint32_t* found) { row = found; })) return false;
  std::atomic_ref<uint32_t> asked_at(row[kAskedAt]);
  uint32_t before = asked_at.load(std::memory_order_relaxed);
  const uint32_t mark = SinceEpoch(now) + 1;
  if (before != 0 && mark < before + interval.count()) return false;
  return asked_at.compare_exchange_strong(before, mark, std::memory_order_relaxed);
}

bool RttMap::Holds(uint32_t* set, size_t way, const Key& key) const {
  return ShapeOf(set, way) == key.shape && Load(set + kHigh + way) == key.high &&
         Load(Row(set, way) + kLow) == key.low;
}

size_t RttMap::WayToReplace(uint32_t* set, const Key& key) const {
  size_t oldest = 0;
  int64_t oldest_at = INT64_MAX;
  for (size_t way = 0; way < kWays; ++way) {
    if (Holds(set, way, key)) return way;
    const int64_t at = ShapeOf(set, way) == 0 ? -1 : int64_t{Load(Row(set, way) + kMeasuredAt)};
    if (at >= oldest_at) continue;
    oldest_at = at;
    oldest = way;
  }
  return oldest;
}

void RttMap::Put(const IpPrefix& prefix, const MapRow& in) {
  const Key key(prefix);
  uint32_t* set = SetOf(key);
  const size_t way = WayToReplace(set, key);
  uint32_t* row = Row(set, way);
  if (sparse()) Keep(in);
  if (ShapeOf(set, way) == 0) {
    size_.fetch_add(1, std::memory_order_relaxed);
  } else if (!Holds(set, way, key)) {
    evictions_.fetch_add(1, std::memory_order_relaxed);
  }

  const uint32_t sequence = Load(set + kSequence);
  std::atomic_ref<uint32_t>(set[kSequence]).store(sequence + 1, std::memory_order_relaxed);
  StoreShape(set, way, key.shape);
  Store(set + kHigh + way, key.high);
  Store(row + kLow, key.low);
  Store(row + kDecision, Pack(in.decision, in.rules));
  Store(row + kMeasuredAt, SinceEpoch(in.measured_at));
  Store(row + kAskedAt, 0);
  PackSamples(in, row);
  Store(set + kSequence, sequence + 2);
  MarkDirty(SlotAt(set, way));
}

}  // namespace perigee::dns
