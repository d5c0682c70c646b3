// Whose time cannot be true? A pure function of what the replicas measured of one client and of each other.
//
// With RTTs r_i and r_j to a client, replicas i and j are at most r_i + r_j apart, were paths straight. Real
// ones are not: of all triples among 137 cities 2.4 % break the triangle inequality, and 0.015 % by more than
// a factor of two and 10 ms (WonderNetwork's figures, our count). What breaks it by so much is a time that is
// too short. Too long a time is no contradiction: a last mile may add anything, and the client itself can.
//
// Two who contradict each other don't tell which one is wrong; three do, when one is in all contradictions.
// A client that is at several places at once (anycast) makes many contradict many: nobody is to blame.
#pragma once

#include <optional>
#include <span>

#include "services/dns/steering/choose.h"
#include "services/dns/steering/early_decision.h"
#include "services/dns/steering/replica.h"

namespace perigee::dns {

// So much farther apart than their times to a client allow, two replicas contradict each other.
inline constexpr double kContradictionFactor = 2;
inline constexpr Rtt kContradictionSlack = std::chrono::milliseconds(10);

// The replica whose probes of this client contradict those of two others at least, when without it all agree.
// `distances` are the longer ones of the two directions: a liar can shorten its own alone.
std::optional<ReplicaId> WhoIsTooNear(std::span<const Sample> samples, const ReplicaDistances& distances);

}  // namespace perigee::dns
