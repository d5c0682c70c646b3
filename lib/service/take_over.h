// Taking the place of a running server of the same program, for a restart without a gap.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <string_view>

#include "absl/status/status.h"

namespace perigee {

// Ends process `pid` as a service manager would, with SIGTERM, and waits until it is gone, with all its
// ports, locks and files. InvalidArgument when there is no such process or it runs another program than
// `program`; PermissionDenied when it is another user's; DeadlineExceeded when it has not ended within
// `patience`.
absl::Status EndAndAwait(pid_t pid, std::string_view program, std::chrono::milliseconds patience);

}  // namespace perigee
