#include "services/dns/steering/choose.h"

#include <algorithm>
#include <cassert>

namespace perigee::dns {
namespace {

// FNV-1a with a final mix: the same in every process and release, for choices outlive a restart.
uint64_t StableHash(const IpPrefix& prefix, ReplicaId replica) {
  uint64_t h = 14695981039346656037u;
  const auto mix = [&h](uint8_t byte) { h = (h ^ byte) * 1099511628211u; };
  for (const uint8_t byte : prefix.address().bytes()) mix(byte);
  mix(static_cast<uint8_t>(prefix.length()));
  mix(static_cast<uint8_t>(replica));
  h ^= h >> 32;
  h *= 0x9e3779b97f4a7c15u;
  return h ^ (h >> 29);
}

ReplicaId Hashed(size_t replicas, ReplicaSet usable, const IpPrefix& prefix) {
  ReplicaId winner{};
  uint64_t highest = 0;
  for (size_t i = 0; i < replicas; ++i) {
    const ReplicaId id = ToReplicaId(i);
    const uint64_t score = StableHash(prefix, id) | 1;  // above the start value, so that one always wins
    if (usable.Contains(id) && score > highest) {
      highest = score;
      winner = id;
    }
  }
  return winner;
}

bool WorthLeaving(Rtt current, Rtt best) {
  const auto share = std::chrono::duration_cast<Rtt>(current * kHysteresisShare);
  return current - best > std::max(kHysteresisFloor, share);
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
  }
  return "invalid";
}

IpPrefix NeighbourhoodOf(const IpAddress& client) { return IpPrefix(client, client.is_v4() ? 16 : 32); }

std::optional<ReplicaId> Nearest(std::span<const Sample> samples, ReplicaSet usable) {
  std::optional<ReplicaId> best;
  for (size_t i = 0; i < samples.size(); ++i) {
    const ReplicaId id = ToReplicaId(i);
    if (!samples[i].measured() || !usable.Contains(id)) continue;
    if (!best || samples[i].rtt < samples[Index(*best)].rtt) best = id;
  }
  return best;
}

Decision Choose(std::span<const Sample> samples, ReplicaSet healthy, std::optional<ReplicaId> previous,
                const IpPrefix& prefix) {
  assert(!samples.empty() && samples.size() <= kMaxReplicas);
  const bool all_down = healthy.empty();
  const ReplicaSet usable = all_down ? ReplicaSet::All(samples.size()) : healthy;
  const auto as = [all_down](Reason reason) { return all_down ? Reason::kAllDown : reason; };

  const auto best = Nearest(samples, usable);
  if (!best) return {Hashed(samples.size(), usable, prefix), as(Reason::kHashed)};
  if (previous && *previous != *best && usable.Contains(*previous)) {
    const Sample& current = samples[Index(*previous)];
    if (current.measured() && !WorthLeaving(current.rtt, samples[Index(*best)].rtt)) {
      return {*previous, as(Reason::kHysteresis)};
    }
  }
  return {*best, as(Reason::kMeasuredBest)};
}

}  // namespace perigee::dns
