// What a program asks of the host that it runs on.
#pragma once

#include <vector>

#include "absl/status/statusor.h"
#include "lib/base/address.h"

namespace perigee {

// The addresses of every interface, without the loopback ranges 127.0.0.0/8 and ::1.
absl::StatusOr<std::vector<IpAddress>> OwnAddresses();

// Whether an IPv6 socket can be had and bound here; containers often have none.
bool HasIpv6();

}  // namespace perigee
