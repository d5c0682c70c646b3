// What is best for those who ask through one resolver: pure functions.
//
// A resolver is not its clients. Where beacons tell who they are (docs/adr/0032) it is given what is best for
// them, not what is nearest to itself.
#pragma once

#include <cstddef>
#include <span>

#include "lib/base/address.h"
#include "lib/base/beacon_token.h"
#include "services/dns/steering/choose.h"

namespace perigee::dns {

// A beacon's request, as a replica told it.
struct SeenBeacon {
  IpAddress client;
  BeaconToken token;
};

// With fewer clients that are known the resolver speaks for itself.
inline constexpr size_t kEnoughClients = 3;

// Fills `out`, as long as each of `clients`, with the median by replica of what is measured of them, or a
// bare sample where half of them or more know nothing. Each client counts once, so less than half of them
// cannot move it beyond the others.
void MedianOf(std::span<const Samples> clients, std::span<Sample> out);

}  // namespace perigee::dns
