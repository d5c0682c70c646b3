#include "services/dns/map/rtt_map.h"

#include <sys/mman.h>

#include <algorithm>
#include <bit>
#include <cassert>
#include <new>
#include <span>
#include <thread>

namespace perigee::dns {
namespace {

// A set is a sequence word, odd while it is being written, and kWays rows. A row is
//   word 0       key header: bit 31 in use, bit 30 IPv4, bits 0-7 prefix length
//   words 1, 2   the prefix's first 64 bits
//   word 3       bits 0-7 decided replica, bits 8-15 reason
//   word 4       seconds from the epoch to the measurement
//   words 5…     one per replica: bits 28-31 method, bits 0-27 RTT in microseconds
constexpr size_t kHeader = 0, kKeyHigh = 1, kKeyLow = 2, kDecision = 3, kMeasuredAt = 4, kSamples = 5;
constexpr uint32_t kInUse = 1u << 31, kIsV4 = 1u << 30;
// Many more than a Put takes.
constexpr int kReadAttempts = 64;
constexpr int kMethodShift = 28;
constexpr uint32_t kMaxRtt = (1u << kMethodShift) - 1;

// All words are read and written as atomics. Acquire on every read keeps the closing read of the sequence
// after them, release on every write keeps the opening write before them (H.-J. Boehm, "Can seqlocks get
// along with programming language memory models?", MSPC 2012); on x86 both are plain moves.
uint32_t Read(const uint32_t* word) {
  return std::atomic_ref<uint32_t>(*const_cast<uint32_t*>(word)).load(std::memory_order_acquire);
}
void Write(uint32_t* word, uint32_t value) {
  std::atomic_ref<uint32_t>(*word).store(value, std::memory_order_release);
}

struct Key {
  uint32_t header, high, low;
};

Key KeyOf(const IpPrefix& prefix) {
  assert(prefix.length() <= 64);
  const auto bytes = prefix.address().bytes();
  const auto word = [&](size_t at) {
    return uint32_t{bytes[at]} << 24 | uint32_t{bytes[at + 1]} << 16 | uint32_t{bytes[at + 2]} << 8 |
           uint32_t{bytes[at + 3]};
  };
  const bool v4 = prefix.address().is_v4();
  return {kInUse | (v4 ? kIsV4 : 0) | static_cast<uint32_t>(prefix.length()), word(0), v4 ? 0 : word(4)};
}

// The other way round; of a torn key it makes some prefix or other.
IpPrefix PrefixOf(const Key& key) {
  std::array<uint8_t, 16> bytes{};
  for (size_t i = 0; i < 4; ++i) {
    bytes[i] = static_cast<uint8_t>(key.high >> (24 - 8 * i));
    bytes[4 + i] = static_cast<uint8_t>(key.low >> (24 - 8 * i));
  }
  const std::span<const uint8_t, 16> all(bytes);
  const bool v4 = key.header & kIsV4;
  const auto length = std::min<uint32_t>(key.header & 0xff, 64);
  return {v4 ? IpAddress::V4(all.first<4>()) : IpAddress::V6(all), static_cast<int>(length)};
}

bool Holds(const uint32_t* row, const Key& key) {
  return Read(row + kHeader) == key.header && Read(row + kKeyHigh) == key.high &&
         Read(row + kKeyLow) == key.low;
}

uint32_t Pack(const Sample& sample) {
  const auto us = std::clamp<int64_t>(sample.rtt.count(), 0, kMaxRtt);
  return static_cast<uint32_t>(sample.method) << kMethodShift | static_cast<uint32_t>(us);
}

Sample Unpack(uint32_t word) { return {Rtt(word & kMaxRtt), static_cast<Method>(word >> kMethodShift)}; }

}  // namespace

RttMap::RttMap(size_t replicas, size_t max_prefixes, MonoTime epoch)
    : replicas_(replicas),
      row_words_(kSamples + replicas),
      set_words_(1 + kWays * row_words_),
      sets_(std::max<size_t>(1, max_prefixes / kWays)),
      epoch_(epoch),
      dirty_((sets_ * kWays + 63) / 64) {
  void* memory = mmap(nullptr, sets_ * set_words_ * sizeof(uint32_t), PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (memory == MAP_FAILED) throw std::bad_alloc();
  words_ = static_cast<uint32_t*>(memory);
}

RttMap::~RttMap() { munmap(words_, sets_ * set_words_ * sizeof(uint32_t)); }

uint32_t* RttMap::SetOf(const IpPrefix& prefix) const {
  const Key key = KeyOf(prefix);
  uint64_t h = (uint64_t{key.high} << 32 | key.low) ^ (uint64_t{key.header} << 17);
  h *= 0x9e3779b97f4a7c15u;
  h ^= h >> 32;
  h *= 0xd6e8feb86659fd93u;
  const auto set = static_cast<size_t>((static_cast<unsigned __int128>(h) * sets_) >> 64);
  return words_ + set * set_words_;
}

bool RttMap::ReadOnce(const uint32_t* set, uint32_t sequence, const IpPrefix& prefix, MapRow* row,
                      bool* found) const {
  const Key key = KeyOf(prefix);
  *found = false;
  for (size_t way = 0; way < kWays; ++way) {
    const uint32_t* at = set + 1 + way * row_words_;
    if (!Holds(at, key)) continue;
    const uint32_t decision = Read(at + kDecision);
    row->decision = {static_cast<ReplicaId>(decision & 0xff), static_cast<Reason>((decision >> 8) & 0xff)};
    row->measured_at = epoch_ + std::chrono::seconds(Read(at + kMeasuredAt));
    for (size_t i = 0; i < replicas_; ++i) row->samples[i] = Unpack(Read(at + kSamples + i));
    *found = true;
    break;
  }
  return Read(set) == sequence;
}

bool RttMap::Find(const IpPrefix& prefix, MapRow* row) const {
  const uint32_t* set = SetOf(prefix);
  for (int attempt = 1;; ++attempt) {
    const uint32_t sequence = Read(set);
    bool found = false;
    if (sequence % 2 == 0 && ReadOnce(set, sequence, prefix, row, &found)) return found;
    // The writer lost its core in the middle of a row: lend it ours.
    if (attempt % kReadAttempts == 0) std::this_thread::yield();
  }
}

uint32_t* RttMap::RowToReplace(uint32_t* set, const IpPrefix& prefix) {
  const Key key = KeyOf(prefix);
  uint32_t* oldest = nullptr;
  for (size_t way = 0; way < kWays; ++way) {
    uint32_t* row = set + 1 + way * row_words_;
    if (Holds(row, key)) return row;
    const auto age_key = [](const uint32_t* r) {
      return Read(r + kHeader) == 0 ? -1 : int64_t{Read(r + kMeasuredAt)};
    };
    if (oldest == nullptr || age_key(row) < age_key(oldest)) oldest = row;
  }
  return oldest;
}

void RttMap::Put(const IpPrefix& prefix, const MapRow& row) {
  uint32_t* set = SetOf(prefix);
  uint32_t* at = RowToReplace(set, prefix);
  const Key key = KeyOf(prefix);
  if (Read(at + kHeader) == 0) size_.fetch_add(1, std::memory_order_relaxed);

  const uint32_t sequence = Read(set);
  std::atomic_ref<uint32_t>(*set).store(sequence + 1, std::memory_order_relaxed);
  Write(at + kHeader, key.header);
  Write(at + kKeyHigh, key.high);
  Write(at + kKeyLow, key.low);
  Write(at + kDecision,
        static_cast<uint32_t>(Index(row.decision.replica)) | static_cast<uint32_t>(row.decision.reason) << 8);
  const auto since_epoch = std::chrono::duration_cast<std::chrono::seconds>(row.measured_at - epoch_);
  Write(at + kMeasuredAt, static_cast<uint32_t>(std::max<int64_t>(0, since_epoch.count())));
  for (size_t i = 0; i < replicas_; ++i) Write(at + kSamples + i, Pack(row.samples[i]));
  Write(set, sequence + 2);
  MarkDirty(SlotAt(set, at));
}

size_t RttMap::SlotAt(const uint32_t* set, const uint32_t* row) const {
  const auto set_index = static_cast<size_t>(set - words_) / set_words_;
  return set_index * kWays + static_cast<size_t>(row - set - 1) / row_words_;
}

bool RttMap::ReadSlot(size_t slot, IpPrefix* prefix, MapRow* row) const {
  const uint32_t* set = words_ + slot / kWays * set_words_;
  const uint32_t* at = set + 1 + slot % kWays * row_words_;
  for (;;) {
    const Key key{Read(at + kHeader), Read(at + kKeyHigh), Read(at + kKeyLow)};
    if (key.header == 0) return false;
    *prefix = PrefixOf(key);
    // Another prefix may have taken the row since; then it is looked at again.
    if (Find(*prefix, row) && SlotOf(*prefix) == slot) return true;
    std::this_thread::yield();
  }
}

size_t RttMap::SlotOf(const IpPrefix& prefix) const {
  const Key key = KeyOf(prefix);
  const uint32_t* set = SetOf(prefix);
  for (size_t way = 0; way < kWays; ++way) {
    const uint32_t* row = set + 1 + way * row_words_;
    if (Holds(row, key)) return SlotAt(set, row);
  }
  return capacity();
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

}  // namespace perigee::dns
