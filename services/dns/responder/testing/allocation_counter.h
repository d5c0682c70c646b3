// Counts what operator new is asked for, in the binaries that link allocation_counter.cc.
#pragma once

#include <cstddef>

namespace perigee::dns::testing {

// Allocations of the calling thread since its start.
size_t AllocationCount();

}  // namespace perigee::dns::testing
