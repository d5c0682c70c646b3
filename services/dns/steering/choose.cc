#include "services/dns/steering/choose.h"

#include <algorithm>
#include <cassert>

namespace perigee::dns {
namespace {

std::optional<ReplicaId> Hashed(const ReplicaSet& among, const IpPrefix& prefix, const ChoiceRules& rules) {
  std::optional<ReplicaId> winner;
  std::optional<RendezvousScore> highest;
  for (const ReplicaId id : among) {
    const RendezvousScore score(prefix, id, rules.weight(id));
    if (highest && !(score > *highest)) continue;
    highest = score;
    winner = id;
  }
  return winner;
}

// The usable replica with the least time, of those samples that count.
template <typename Counts>
std::optional<ReplicaId> Least(std::span<const Sample> samples, const ReplicaSet& usable, Counts counts) {
  std::optional<ReplicaId> best;
  for (const ReplicaId id : usable) {
    if (Index(id) >= samples.size()) break;
    if (!counts(samples[Index(id)])) continue;
    if (!best || samples[Index(id)].rtt < samples[Index(*best)].rtt) best = id;
  }
  return best;
}

bool WorthLeaving(Rtt current, Rtt best) {
  const auto share = std::chrono::duration_cast<Rtt>(current * kHysteresisShare);
  return current - best > std::max(kHysteresisFloor, share);
}

// The measured of `usable` that are as good as the nearest.
ReplicaSet Band(std::span<const Sample> samples, const ReplicaSet& usable, Rtt best) {
  const Rtt limit =
      best + std::max(kHysteresisFloor, std::chrono::duration_cast<Rtt>(best * kHysteresisShare));
  ReplicaSet band;
  for (size_t i = 0; i < samples.size(); ++i) {
    const bool near = samples[i].measured() && samples[i].rtt <= limit;
    if (near && usable.Contains(ToReplicaId(i))) band.Add(ToReplicaId(i));
  }
  return band;
}

Decision ChooseByBand(const ChoiceInputs& in, const ChoiceRules& rules, const ReplicaSet& usable,
                      ReplicaId best) {
  const ReplicaSet band = Band(in.samples, usable, in.samples[Index(best)].rtt);
  if (band.size() == 1) return {best, Reason::kMeasuredBest};
  if (in.previous && band.Contains(*in.previous)) return {*in.previous, Reason::kBand};
  return {*Hashed(band, in.prefix, rules), Reason::kBand};
}

Decision ChooseAmong(const ChoiceInputs& in, const ChoiceRules& rules, const ReplicaSet& usable) {
  const auto best = Nearest(in.samples, usable);
  if (!best) {
    const auto floor = LeastFloor(in.samples, usable);
    if (floor) return {*floor, Reason::kLeastFloor};
    return {*Hashed(usable, in.prefix, rules), Reason::kHashed};
  }
  if (rules.band) return ChooseByBand(in, rules, usable, *best);
  if (in.previous && *in.previous != *best && usable.Contains(*in.previous)) {
    const Sample& current = in.samples[Index(*in.previous)];
    if (current.measured() && !WorthLeaving(current.rtt, in.samples[Index(*best)].rtt)) {
      return {*in.previous, Reason::kHysteresis};
    }
  }
  return {*best, Reason::kMeasuredBest};
}

}  // namespace

std::string_view Word(Method method) {
  switch (method) {
    case Method::kUnknown:
      return "unknown";
    case Method::kIcmpEcho:
      return "icmp-echo";
    case Method::kTcpSyn:
      return "tcp-syn";
    case Method::kSilent:
      return "silent";
    case Method::kPassive:
      return "passive";
    case Method::kLastHop:
      return "last-hop";
    case Method::kUdpPort:
      return "udp-port";
  }
  return "invalid";
}

std::string_view Word(Reason reason) {
  switch (reason) {
    case Reason::kMeasuredBest:
      return "measured-best";
    case Reason::kHoldExpired:
      return "hold-expired";
    case Reason::kNeighbour:
      return "neighbour";
    case Reason::kHashed:
      return "hashed";
    case Reason::kAllDown:
      return "all-down";
    case Reason::kHysteresis:
      return "hysteresis";
    case Reason::kBand:
      return "band";
    case Reason::kShed:
      return "shed";
    case Reason::kOverride:
      return "override";
    case Reason::kExploration:
      return "exploration";
    case Reason::kGeography:
      return "geography";
    case Reason::kLeastFloor:
      return "least-floor";
    case Reason::kClientele:
      return "clientele";
  }
  return "invalid";
}

std::optional<ReplicaId> Nearest(std::span<const Sample> samples, const ReplicaSet& usable) {
  return Least(samples, usable, [](const Sample& sample) { return sample.measured(); });
}

std::optional<ReplicaId> LeastFloor(std::span<const Sample> samples, const ReplicaSet& usable) {
  return Least(samples, usable, [](const Sample& sample) { return sample.is_floor(); });
}

uint16_t ChoiceRules::Fingerprint() const {
  uint64_t h = band ? 0x9e3779b97f4a7c15u : 14695981039346656037u;
  for (size_t i = 0; i < weights.size(); ++i) {
    if (weights[i] != kDefaultWeight) h = (h ^ (uint64_t{i} << 32 | weights[i])) * 1099511628211u;
  }
  return static_cast<uint16_t>(h >> 48 ^ h >> 32);
}

ReplicaSet Usable(size_t count, const ReplicaSet& healthy, const ReplicaSet& avoided) {
  if (healthy.empty()) return ReplicaSet::All(count);
  const ReplicaSet at_ease = healthy.Without(avoided);
  return at_ease.empty() ? healthy : at_ease;
}

Decision Choose(const ChoiceInputs& in, const ChoiceRules& rules) {
  assert(!in.samples.empty() && in.samples.size() <= kMaxReplicas);
  if (in.set_by_operator && in.healthy.Contains(*in.set_by_operator)) {
    return {*in.set_by_operator, Reason::kOverride};
  }
  const ReplicaSet usable = Usable(in.samples.size(), in.healthy, in.avoided);
  if (in.healthy.empty()) {
    return {in.previous ? *in.previous : ChooseAmong(in, rules, usable).replica, Reason::kAllDown};
  }
  Decision decision = ChooseAmong(in, rules, usable);
  const auto nearest = Nearest(in.samples, in.healthy);
  if (nearest && !usable.Contains(*nearest)) decision.reason = Reason::kShed;
  return decision;
}

Decision ChooseHome(const ChoiceInputs& in, const ChoiceRules& rules) {
  return ChooseAmong(in, rules, ReplicaSet::All(in.samples.size()));
}

bool HomeHolds(const Decision& remembered, uint16_t made_by, const ChoiceRules& rules, uint16_t fingerprint) {
  if (made_by == fingerprint) return true;
  return !rules.band && remembered.reason != Reason::kBand && remembered.reason != Reason::kHashed;
}

Decision HomeNow(const Decision& remembered, uint16_t made_by, const ChoiceInputs& in,
                 const ChoiceRules& rules) {
  if (HomeHolds(remembered, made_by, rules, rules.Fingerprint())) return remembered;
  ChoiceInputs anew = in;
  anew.previous.reset();  // a band would keep it for ever, whatever it weighs now
  return ChooseHome(anew, rules);
}

bool HomeIsUsable(ReplicaId home, size_t count, const ReplicaSet& healthy, const ReplicaSet& avoided) {
  return !healthy.empty() && Usable(count, healthy, avoided).Contains(home);
}

Decision ChooseFrom(const Decision& home, const ChoiceInputs& in, const ChoiceRules& rules) {
  const bool by_operator = in.set_by_operator && in.healthy.Contains(*in.set_by_operator);
  if (!by_operator && HomeIsUsable(home.replica, in.samples.size(), in.healthy, in.avoided)) return home;
  ChoiceInputs away = in;
  away.previous = home.replica;
  return Choose(away, rules);
}

size_t Ranked(const ChoiceInputs& in, const ChoiceRules& rules, ReplicaId first, std::span<ReplicaId> out) {
  if (out.empty()) return 0;
  size_t count = 0;
  out[count++] = first;
  ReplicaSet rest = Usable(in.samples.size(), in.healthy, in.avoided);
  rest.Remove(first);
  while (count < out.size() && !rest.empty()) {
    const auto nearest = Nearest(in.samples, rest);
    const ReplicaId next = nearest ? *nearest : *Hashed(rest, in.prefix, rules);
    out[count++] = next;
    rest.Remove(next);
  }
  return count;
}

}  // namespace perigee::dns
