#include "services/dns/steering/rendezvous.h"

#include <bit>
#include <cassert>

namespace perigee::dns {
namespace {

constexpr int kFractionBits = 32;

}  // namespace

// FNV-1a, then the finaliser of SplitMix64: every input bit reaches every output bit.
uint64_t StableHash(const IpPrefix& prefix, uint64_t salt) {
  uint64_t h = 14695981039346656037u;
  const auto mix = [&h](uint8_t byte) { h = (h ^ byte) * 1099511628211u; };
  for (const uint8_t byte : prefix.address().bytes()) mix(byte);
  mix(static_cast<uint8_t>(prefix.length()));
  do mix(static_cast<uint8_t>(salt));
  while ((salt >>= 8) != 0);
  h = (h ^ (h >> 30)) * 0xbf58476d1ce4e5b9u;
  h = (h ^ (h >> 27)) * 0x94d049bb133111ebu;
  return h ^ (h >> 31);
}

uint64_t NegativeLog2(uint64_t hash) {
  hash |= 1;
  const int zeros = std::countl_zero(hash);
  uint64_t mantissa = hash << zeros;  // in [1, 2), the top bit being 1
  uint64_t fraction = 0;              // of its logarithm, a bit for each squaring
  for (int i = 0; i < kFractionBits; ++i) {
    const auto square = static_cast<unsigned __int128>(mantissa) * mantissa;  // in [1, 4)
    const bool above_two = (square >> 127) != 0;
    mantissa = static_cast<uint64_t>(square >> (above_two ? 64 : 63));
    fraction = fraction << 1 | above_two;
  }
  return (static_cast<uint64_t>(zeros + 1) << kFractionBits) - fraction;
}

RendezvousScore::RendezvousScore(const IpPrefix& prefix, ReplicaId replica, uint32_t weight)
    : weight_(weight), log_(NegativeLog2(StableHash(prefix, Index(replica)))) {
  assert(weight >= 1 && weight <= kMaxWeight);
}

}  // namespace perigee::dns
