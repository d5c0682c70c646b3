// Which object goes first when room is needed.
//
// Pure bookkeeping, without a budget of its own: the caller evicts until it has room. Not thread-safe. Every
// operation takes O(log n) or better (Hit and Evict: amortised), and a hit allocates nothing.
//
// Memory, as measured, beside the caller's own: 110 bytes for each object (lfu-admission: 150). lfu-per-byte,
// lfu-admission and s3fifo also remember as many of those that left as are stored (or kLeastRemembered), in
// 70 bytes each.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>

namespace perigee::replica {

// Greater for what was stored later.
using ObjectId = uint64_t;

struct EvictionObject {
  ObjectId id = 0;
  // What the object would have again, were it stored anew: a hash of its key and variant. Two objects of one
  // fingerprint share what is remembered of them, which costs a little precision and nothing else.
  uint64_t fingerprint = 0;
  uint64_t bytes = 0;
  uint64_t hits = 0;
  // Where ageing stood when the object was last used. Only Remove gives one; without it, it is used now.
  std::optional<double> age = std::nullopt;
};

class EvictionPolicy {
 public:
  virtual ~EvictionPolicy() = default;
  // `object.id` must not be known. Returns the hits that it begins with: more than `object.hits` when it is
  // remembered from before it was evicted.
  virtual uint64_t Add(const EvictionObject& object) = 0;
  // `id` must be known.
  virtual void Hit(ObjectId id) = 0;
  // Forgets `id`, which must be known, for another reason than room. Returns what Add takes to put it back.
  virtual EvictionObject Remove(ObjectId id) = 0;
  // Chooses what goes, and forgets it. Nothing when no object is known.
  virtual std::optional<ObjectId> Evict() = 0;
};

// Of equal objects the one stored first goes first (but lfu-admission prefers the one that is there already).
enum class Eviction {
  // The fewest hits for each byte go first, aged; of those that left, the hits are remembered for a while.
  kLfuPerByte,
  // The fewest hits go first.
  kLfu,
  // The fewest hits go first, aged: an object that is used begins where the last one that went stood
  // (LFU-DA).
  kLfuAged,
  // The fewest hits go first; newcomers are on probation in a tenth of the bytes, and to stay must have been
  // asked for more often than the one that would go for them (after TinyLFU).
  kLfuAdmission,
  // Greedy-Dual-Size-Frequency as published: the fewest requests for each byte go first, aged.
  kGdsf,
  // S3-FIFO (SOSP 2023): a small queue for newcomers, a main one with second chances, and a ghost.
  kS3Fifo,
  // The one unused for longest goes first.
  kLru,
};

// Chosen by bench/eviction: docs/adr/0012.
inline constexpr Eviction kDefaultEviction = Eviction::kLfuPerByte;

inline constexpr Eviction kEveryEviction[] = {
    Eviction::kLfuPerByte, Eviction::kLfu,    Eviction::kLfuAged, Eviction::kLfuAdmission,
    Eviction::kGdsf,       Eviction::kS3Fifo, Eviction::kLru,
};

// As flags and the fleet file have it: "lfu-per-byte".
std::string_view Name(Eviction eviction);
std::optional<Eviction> ParseEviction(std::string_view name);

std::unique_ptr<EvictionPolicy> MakeEvictionPolicy(Eviction eviction);

}  // namespace perigee::replica
