#include "tests/world/link_state.h"

#include <algorithm>

namespace perigee::world {
namespace {

// Serialises `bytes` on a link that is busy until `free`.
std::optional<MonoTime> Transmit(MonoTime& free, uint64_t rate_bps, size_t bytes, MonoTime now) {
  if (rate_bps == 0) return now;
  const MonoTime start = std::max(free, now);
  if (start - now > kMaxRateBacklog) return std::nullopt;
  free = start + std::chrono::nanoseconds(bytes * 8 * uint64_t{1'000'000'000} / rate_bps);
  return free;
}

}  // namespace

LinkState::LinkState(const World& world, uint64_t seed) : random_(seed) {
  for (const Host& host : world.hosts()) hosts_.push_back({.knobs = host.knobs});
  directions_.resize(hosts_.size() * hosts_.size());
  for (size_t i = 0; i < directions_.size(); ++i) {
    directions_[i].rtt =
        world.Rtt(static_cast<HostId>(i / hosts_.size()), static_cast<HostId>(i % hosts_.size()));
  }
}

Passage LinkState::Depart(HostId from_id, HostId to_id, size_t bytes, Wants wants, MonoTime now) {
  HostLink& from = hosts_[Index(from_id)];
  const HostLink& to = hosts_[Index(to_id)];
  Direction& path = At(from_id, to_id);
  if (from.cut || to.cut || path.cut) return {Verdict::kCut, {}};
  if (wants == Wants::kEcho && to.knobs.block_icmp) return {Verdict::kIcmpBlocked, {}};
  if (wants != Wants::kNothing && to.knobs.block_probes) return {Verdict::kProbeBlocked, {}};
  if (Lost(from, to, path)) return {Verdict::kLost, {}};
  const auto sent = Transmit(from.uplink_free, from.knobs.rate_bps, bytes, now);
  if (!sent) return {Verdict::kRateBacklog, {}};
  const MonoTime due = *sent + std::chrono::nanoseconds(path.rtt) / 2 + Jitter(from, to);
  path.last_due = std::max({due, path.last_due, now});
  return {Verdict::kForward, path.last_due};
}

Passage LinkState::TurnBack(HostId from_id, HostId to_id, uint8_t hop, size_t bytes, MonoTime now) {
  HostLink& from = hosts_[Index(from_id)];
  const HostLink& to = hosts_[Index(to_id)];
  const Direction& path = At(from_id, to_id);
  if (from.cut || to.cut || path.cut) return {Verdict::kCut, {}};
  if (Lost(from, to, path)) return {Verdict::kLost, {}};
  const auto sent = Transmit(from.uplink_free, from.knobs.rate_bps, bytes, now);
  if (!sent) return {Verdict::kRateBacklog, {}};
  const std::chrono::nanoseconds to_the_last = std::max(path.rtt - to.knobs.last_hop, perigee::Rtt::zero());
  return {Verdict::kExpired, *sent + to_the_last * hop / to.knobs.routers};
}

std::optional<MonoTime> LinkState::Arrive(HostId to, size_t bytes, MonoTime now) {
  HostLink& link = hosts_[Index(to)];
  return Transmit(link.downlink_free, link.knobs.rate_bps, bytes, now);
}

void LinkState::SetRtt(HostId a, HostId b, perigee::Rtt rtt) { At(a, b).rtt = At(b, a).rtt = rtt; }

void LinkState::SetPairCut(HostId a, HostId b, bool cut) { At(a, b).cut = At(b, a).cut = cut; }

void LinkState::SetPairLoss(HostId a, HostId b, double loss) { At(a, b).loss = At(b, a).loss = loss; }

double LinkState::Uniform() { return static_cast<double>(random_() >> 11) * 0x1p-53; }

bool LinkState::Lost(const HostLink& from, const HostLink& to, const Direction& path) {
  const double kept = (1 - from.knobs.loss) * (1 - to.knobs.loss) * (1 - path.loss);
  return kept < 1 && Uniform() >= kept;
}

std::chrono::nanoseconds LinkState::Jitter(const HostLink& from, const HostLink& to) {
  std::chrono::nanoseconds sum{};
  for (const HostLink* end : {&from, &to}) {
    const std::chrono::nanoseconds most = end->knobs.jitter;
    if (most.count() == 0) continue;
    sum += std::chrono::nanoseconds(
        static_cast<int64_t>((2 * Uniform() - 1) * static_cast<double>(most.count())));
  }
  return sum;
}

}  // namespace perigee::world
