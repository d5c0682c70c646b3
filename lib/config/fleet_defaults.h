// What a fleet file leaves out.
#pragma once

#include "perigee/v1/config.pb.h"

namespace perigee {

// Every field whose zero or absence stands for a default (proto/perigee/v1/config.proto names them).
void FillDefaults(v1::FleetConfig* fleet);

}  // namespace perigee
