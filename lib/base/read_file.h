// Whole files that people write: fleet files, zones, keys. Bounded, whatever is at the path.
#pragma once

#include <cstddef>
#include <string>

#include "absl/status/statusor.h"

namespace perigee {

// At most `limit` bytes. Errors name the file: NotFound; InvalidArgument for a directory or more than `limit`
// bytes; Unavailable when it can't be read. Blocks, on a pipe for as long as nobody writes.
absl::StatusOr<std::string> ReadFile(const std::string& path, size_t limit);

}  // namespace perigee
