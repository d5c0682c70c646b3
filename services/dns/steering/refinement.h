// Whom is it worth asking again? A pure function of the first samples of a client.
//
// One echo answers at once, but what it shows is the round trip and whatever the client's last mile added at
// that moment: an upper bound. The least of several is near the truth. Asking all replicas several times
// would cost a stranger many packets for nothing, for most replicas cannot be its nearest whatever their
// first sample hides.
#pragma once

#include <span>

#include "services/dns/steering/choose.h"
#include "services/dns/steering/early_decision.h"
#include "services/dns/steering/replica.h"

namespace perigee::dns {

// The most replicas that ask a client again.
inline constexpr int kMaxContenders = 6;

// Those of `askable` that may turn out to be the nearest when they are asked more often: the nearest by the
// first samples, and whom its distance does not rule out (early_decision.h), nearest first, then those of
// whom nothing was heard. Nobody when only one is left, or when nothing was measured: nothing can change
// then.
ReplicaSet Contenders(std::span<const Sample> samples, ReplicaSet askable, const ReplicaDistances& distances);

}  // namespace perigee::dns
