#include "services/dns/steering/exploration.h"

#include <cmath>

#include "services/dns/steering/rendezvous.h"

namespace perigee::dns {
namespace {

// Whether `samples` say that `other` is near enough; nothing when they don't say.
std::optional<bool> NearEnough(std::span<const Sample> samples, ReplicaId given, ReplicaId other) {
  const Sample &here = samples[Index(given)], &there = samples[Index(other)];
  if (!here.measured() || !there.measured()) return std::nullopt;
  return there.rtt <= here.rtt + kMostWorse;
}

bool MayBeTried(const ExplorationInputs& in, ReplicaId other) {
  if (const auto own = NearEnough(in.own, in.given, other)) return *own;
  if (const auto around = NearEnough(in.around, in.given, other)) return *around;
  const Sample& here = in.own[Index(in.given)];
  const Rtt apart = in.at_least(in.given, other);
  // The client may be as near to it as `apart` less its distance from the given one.
  return here.measured() && apart > Rtt::zero() && apart <= here.rtt + here.rtt + kMostWorse;
}

}  // namespace

ReplicaSet Explorable(const ExplorationInputs& in) {
  ReplicaSet explorable;
  for (const ReplicaId id : in.usable) {
    if (id != in.given && MayBeTried(in, id)) explorable.Add(id);
  }
  return explorable;
}

uint64_t ExplorationDraw(const IpPrefix& client, MonoTime now) {
  const auto second = std::chrono::floor<std::chrono::seconds>(now.time_since_epoch());
  return StableHash(client, static_cast<uint64_t>(second.count()));
}

bool Explores(uint64_t draw, double share) { return std::ldexp(static_cast<double>(draw), -64) < share; }

std::optional<ReplicaId> ExploredOf(const ReplicaSet& explorable, uint64_t draw) {
  if (explorable.empty()) return std::nullopt;
  // The low bits: the high ones have decided that there is something to explore.
  auto rest = draw % static_cast<uint64_t>(explorable.size());
  for (const ReplicaId id : explorable) {
    if (rest-- == 0) return id;
  }
  return std::nullopt;
}

}  // namespace perigee::dns
