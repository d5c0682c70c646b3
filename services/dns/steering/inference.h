// What is known of a client that no probe reaches: pure functions.
//
// Three things stand in for measurements. Its replica's own connections with it, timed by the kernel
// (`Method::kPassive`); floors, where enough of them agree (floors.h); its surroundings: what was
// measured of others whose addresses begin alike. Each is marked as what it is.
#pragma once

#include <span>

#include "lib/base/address.h"
#include "services/dns/steering/choose.h"
#include "services/dns/steering/early_decision.h"

namespace perigee::dns {

// The least RTT of one replica's connections with clients of a prefix.
struct PassiveRtt {
  IpPrefix prefix;
  Rtt rtt{};
};

// The surroundings that stand in for a client: a /16 of IPv4, a /32 of IPv6.
IpPrefix NeighbourhoodOf(const IpAddress& client);

// Joins what connections said, the least of some, with what is known of the same replica and client. A probe
// that was shorter keeps its word; what connections said before gives way slowly, for the least of a few is
// often too much. Returns whether anything changed.
bool JoinPassive(Rtt rtt, Sample* known);

// Lets the surroundings learn from one client: a quarter of the way, so that a client whose addresses are
// numbered like others' though it is elsewhere does not speak for all.
void Blend(const Sample& one, Sample* around);

// Whether what is known of a client and what stands in for the rest can both be true of one place: they
// differ by no more than 30 ms or half wherever both are known.
bool AreAlike(std::span<const Sample> own, std::span<const Sample> stand_in);

// The samples to choose a home by for a client that answers no probes: its own where its connections were
// timed, and elsewhere what stands in for it: floors that agree, or its surroundings. Where the two
// contradict each other, the client is not where its neighbours are, and its own samples bound the others:
// with RTT r to a replica at distance d of another, it cannot be nearer to that one than |d - r|. Trying the
// one with the least bound finds the nearest within a few connections. What is in `out`, as long as both,
// counts as measured, floors too.
void Estimate(std::span<const Sample> own, std::span<const Sample> stand_in,
              const ReplicaDistances& distances, std::span<Sample> out);

}  // namespace perigee::dns
