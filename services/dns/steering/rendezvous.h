// Weighted rendezvous hashing: a prefix's replica where several will do.
//
// Every replica draws a score of its own for the prefix, -weight / ln(u) with u uniform in (0, 1), and the
// highest wins. So replicas get prefixes in proportion to their weights, one that goes moves only its own
// clients, and one that comes takes only its share. In integers throughout: the same on every machine and in
// every release, for choices outlive a restart.
#pragma once

#include <cstdint>

#include "lib/base/address.h"
#include "services/dns/steering/replica.h"

namespace perigee::dns {

inline constexpr uint32_t kDefaultWeight = 100;
inline constexpr uint32_t kMaxWeight = 10'000;

// The same on every machine and in every release.
uint64_t StableHash(const IpPrefix& prefix, uint64_t salt);

// -log2(u) in units of 2^-32, for u = `hash` / 2^64: 1 to 64 << 32.
uint64_t NegativeLog2(uint64_t hash);

class RendezvousScore {
 public:
  // `weight` is 1 to kMaxWeight.
  RendezvousScore(const IpPrefix& prefix, ReplicaId replica, uint32_t weight);

  // Of equal scores neither is above the other.
  friend bool operator>(const RendezvousScore& a, const RendezvousScore& b) {
    return a.weight_ * b.log_ > b.weight_ * a.log_;
  }

 private:
  uint64_t weight_;
  uint64_t log_;  // weight_ / log_ is the score; their products with each other's stay below 2^53
};

}  // namespace perigee::dns
