// Whom to ask when a fleet is too large for all to measure a client: pure functions of what is known of it.
//
// Half of those that may be asked are asked at once, to find out where the client is: replicas far from each
// other, and those that were near to it, or to its surroundings, before. Then every answer shows better whom
// to ask next: seen from a replica that stands next to the client, the others are as far as they are from the
// client. Who is ruled out by the triangle (early_decision.h) is not asked at all.
#pragma once

#include <cstddef>
#include <optional>
#include <span>

#include "services/dns/steering/choose.h"
#include "services/dns/steering/early_decision.h"
#include "services/dns/steering/replica.h"

namespace perigee::dns {

// How many replicas measure a client (`scripts/dev sim --sphere` compares).
inline constexpr size_t kDefaultAsked = 32;
static_assert(kDefaultAsked < kWholeFleet);
// So many answers show where a client is, roughly; and so many are asked at a time from then on.
inline constexpr size_t kEnoughToPlace = 3, kAskedAtOnce = 2;
// In a large fleet, those to which all others know their distance.
inline constexpr size_t kLandmarks = 16;

// `count` of `among`, far from each other: one after the other the farthest from those before it (the greedy
// k-centre). Of whom no distance is known counts as far away. All of them when there are no more.
ReplicaSet SpreadOut(const ReplicaSet& among, size_t count, const ReplicaDistances& distances);

struct Acquaintance {
  // What is known of the client and of its surroundings, and what its place lets expect; as long as the
  // fleet.
  std::span<const Sample> own, around, by_place;
  // The replica that it has.
  std::optional<ReplicaId> home;
};

// Whom to ask first, at most `most` of `askable`: the client's home, the nearest by its own samples, by those
// of its surroundings and by its place, half of `most` together, and then such as are far apart, of
// `landmarks` and, when they are not enough, of the others.
ReplicaSet FirstToAsk(const Acquaintance& known, const ReplicaSet& askable, const ReplicaSet& landmarks,
                      size_t most, const ReplicaDistances& distances);

// Whom to ask then, at most `most` of `askable`: those of whom nothing was heard yet that the client is
// likely nearest to by what was, but for those whom the nearest one's distance rules out. Nobody when the
// client answered nobody, for floors may be dark; anybody when all that were asked failed.
ReplicaSet NextToAsk(std::span<const Sample> heard, const ReplicaSet& askable, size_t most,
                     const ReplicaDistances& distances);

}  // namespace perigee::dns
