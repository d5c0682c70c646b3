// What floors say of where a client is: pure functions.
//
// A floor is the round trip to the last hop that answered on the way to a client that does not answer itself
// (Method::kLastHop). Mostly that hop is near the client, and then floors order the replicas as measurements
// would: the last mile is missing from all of them. But a path may be dark long before its end, and its floor
// too short. Then it contradicts others: two replicas at distance d cannot have a client at f_i and f_j from
// them with f_i + f_j much less than d.
#pragma once

#include <span>

#include "services/dns/steering/choose.h"
#include "services/dns/steering/early_decision.h"

namespace perigee::dns {

// So many must agree before anything follows from them, or all of a smaller fleet.
inline constexpr int kEnoughFloors = 3;
// With more than this share of them left out, nothing follows from the others: much is dark there.
inline constexpr double kMostLeftOut = 1.0 / 3;
// Floors are not exact, and last miles are missing: only beyond this they contradict each other.
inline constexpr double kFloorFactor = 1.25;
inline constexpr Rtt kFloorSlack = std::chrono::milliseconds(10);

// Fills `out`, as long as `samples`, with the floors that agree, with each other and with what was measured,
// and bare samples elsewhere. Those go that contradict most others, of equals the shortest. Returns whether
// any are left; none are when too few agree.
bool AgreeingFloors(std::span<const Sample> samples, const ReplicaDistances& distances,
                    std::span<Sample> out);

// Whether floors say that a client is not where its surroundings are: one is longer than they allow. A
// shorter one says nothing, for the path may be dark.
bool FloorsRefute(std::span<const Sample> samples, std::span<const Sample> around);

}  // namespace perigee::dns
