// Replicas as the director's core knows them: numbers in the order of the fleet file, and sets of them.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>

namespace perigee::dns {

// The fleet file's limit; a set of replicas is one machine word.
inline constexpr size_t kMaxReplicas = 64;

enum class ReplicaId : uint8_t {};

inline size_t Index(ReplicaId id) { return static_cast<size_t>(id); }
inline ReplicaId ToReplicaId(size_t index) { return static_cast<ReplicaId>(index); }

class ReplicaSet {
 public:
  constexpr ReplicaSet() = default;
  static constexpr ReplicaSet FromBits(uint64_t bits) { return ReplicaSet(bits); }
  // The first `count` replicas.
  static constexpr ReplicaSet All(size_t count) {
    return ReplicaSet(count >= 64 ? ~uint64_t{0} : (uint64_t{1} << count) - 1);
  }

  bool Contains(ReplicaId id) const { return (bits_ >> Index(id)) & 1; }
  void Add(ReplicaId id) { bits_ |= uint64_t{1} << Index(id); }
  void Remove(ReplicaId id) { bits_ &= ~(uint64_t{1} << Index(id)); }
  ReplicaSet Without(ReplicaSet others) const { return ReplicaSet(bits_ & ~others.bits_); }
  bool empty() const { return bits_ == 0; }
  int size() const { return std::popcount(bits_); }
  uint64_t bits() const { return bits_; }

 private:
  constexpr explicit ReplicaSet(uint64_t bits) : bits_(bits) {}
  uint64_t bits_ = 0;
};

}  // namespace perigee::dns
