#include "services/prober/last_hop.h"

#include <algorithm>

namespace perigee {
namespace {

// The first router is our own.
constexpr int kFirstHop = 2, kStride = 3;

}  // namespace

std::vector<uint8_t> HopSearch::Start(MonoTime now) {
  started_at_ = now;
  const int from = last_ ? std::max(*last_ - 1, 1) : kFirstHop;
  const int to = last_ ? std::min(*last_ + 1, int{kMaxHop}) : kMaxHop;
  for (int ttl = from; ttl <= to; ttl += last_ ? 1 : kStride) tried_.push_back(static_cast<uint8_t>(ttl));
  return tried_;
}

void HopSearch::OnReply(const HopReply& reply, MonoTime now) {
  if (replies_.size() >= kMaxHopProbes) return;
  heard_at_ = now;
  replies_.push_back(reply);
}

// The hops behind the farthest that answered, up to the next that was tried.
std::vector<uint8_t> HopSearch::Between() const {
  std::vector<uint8_t> hops;
  const auto farthest = Farthest();
  if (!farthest) return hops;
  const size_t most = std::min<size_t>(left_, kStride - 1);
  for (int ttl = farthest->ttl + 1; ttl <= kMaxHop && hops.size() < most; ++ttl) {
    if (std::find(tried_.begin(), tried_.end(), ttl) != tried_.end()) break;
    hops.push_back(static_cast<uint8_t>(ttl));
  }
  return hops;
}

std::optional<MonoTime> HopSearch::NextDue() const {
  return Between().empty() ? std::nullopt : std::optional(heard_at_ + kHopPause);
}

std::vector<uint8_t> HopSearch::Next(MonoTime now) {
  const auto due = NextDue();
  if (!due || now < *due) return {};
  std::vector<uint8_t> hops = Between();
  next_at_ = now;
  left_ -= hops.size();
  tried_.insert(tried_.end(), hops.begin(), hops.end());
  return hops;
}

MonoTime HopSearch::OverAt() const {
  Rtt farthest{};
  for (const HopReply& reply : replies_) farthest = std::max(farthest, reply.rtt);
  const MonoTime first = *started_at_ + std::max<Rtt>(kHopPatience, farthest + farthest / 2);
  return std::max(first, NextDue().value_or(next_at_) + farthest + kHopPause);
}

std::optional<HopReply> HopSearch::Farthest() const {
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

}  // namespace perigee
