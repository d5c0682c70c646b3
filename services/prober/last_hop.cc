#include "services/prober/last_hop.h"

#include <algorithm>

namespace perigee {
namespace {

// Most paths are shorter than this; beyond it every second hop is tried.
constexpr uint8_t kEveryHopUntil = 13;
constexpr uint8_t kKnownBelow = 2, kKnownAbove = 1;

}  // namespace

std::vector<uint8_t> HopsToTry(std::optional<uint8_t> last) {
  const int from = last ? std::max(*last - kKnownBelow, int{kFirstHop}) : kFirstHop;
  const int to = last ? std::min(*last + kKnownAbove, int{kMaxHop}) : kMaxHop;
  std::vector<uint8_t> hops;
  for (int ttl = from; ttl <= to; ttl += last || ttl < kEveryHopUntil ? 1 : 2) {
    hops.push_back(static_cast<uint8_t>(ttl));
  }
  return hops;
}

std::optional<HopReply> HopReplies::Farthest() const {
  std::optional<HopReply> farthest;
  for (const HopReply& reply : replies_) {
    HopReply hop = reply;
    for (const HopReply& other : replies_) {
      if (other.from != hop.from) continue;
      hop.ttl = std::min(hop.ttl, other.ttl);
      hop.rtt = std::min(hop.rtt, other.rtt);
    }
    if (!farthest || hop.ttl > farthest->ttl) farthest = hop;
  }
  return farthest;
}

Rtt HopReplies::Patience() const {
  Rtt longest{};
  for (const HopReply& reply : replies_) longest = std::max(longest, reply.rtt);
  return std::max<Rtt>(kHopPatience, longest + longest / 2);
}

}  // namespace perigee
