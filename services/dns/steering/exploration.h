// Sending a client elsewhere for once, to learn what it would have there: pure functions.
//
// A client that answers no probe is known by its connections alone, and these go where it is sent. A small
// share of answers (steering.exploration_share; none by default) names another replica, and what that one's
// kernel times tells whether the client is at the right one. Each is a slower answer for somebody: so only
// replicas for which something speaks are tried, and none that is known to be more than kMostWorse farther.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>

#include "lib/base/address.h"
#include "lib/base/clock.h"
#include "services/dns/steering/choose.h"

namespace perigee::dns {

inline constexpr Rtt kMostWorse = std::chrono::milliseconds(50);
inline constexpr double kMaxExplorationShare = 0.1;

struct ExplorationInputs {
  // What the client is given otherwise.
  ReplicaId given{};
  // What is known of it and of its surroundings, one for each replica.
  std::span<const Sample> own, around;
  // Those that may be given.
  ReplicaSet usable;
  // Between two replicas at the least; zero when nothing is known (ReplicaDistances::AtLeast).
  std::function<Rtt(ReplicaId, ReplicaId)> at_least;
};

// Those that may be tried: usable, not the given one, and at most kMostWorse farther by the client's own
// samples; where these don't tell, by its surroundings'; where neither does, by its distance from the given
// one, if the client's own to that one is known. Of whom nothing is known at all is not tried.
ReplicaSet Explorable(const ExplorationInputs& inputs);

// A number for the client and the moment, to be drawn by; the same for all who ask within a second.
uint64_t ExplorationDraw(const IpPrefix& client, MonoTime now);
// Whether `draw` falls into the share, 0 to 1.
bool Explores(uint64_t draw, double share);
// One of `explorable`, by the draw; nothing when it is empty.
std::optional<ReplicaId> ExploredOf(const ReplicaSet& explorable, uint64_t draw);

}  // namespace perigee::dns
