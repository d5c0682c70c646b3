// Reads the fleet file (cdn.textproto, schema proto/perigee/v1/config.proto) for every program.
#pragma once

#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "perigee/v1/config.pb.h"

namespace perigee {

// The file with its defaults filled in, so that no reader needs to know them. Errors: NotFound when there is
// no such file; InvalidArgument with one line "file:line:column: what is wrong" for the first thing that is,
// or for more than 1 MiB; Unavailable when it can't be read. `domain` and `origin` may be empty here, for
// flags may give them.
absl::StatusOr<v1::FleetConfig> LoadFleetFile(const std::string& path);

// The same from memory; `file_name` is used in messages only.
absl::StatusOr<v1::FleetConfig> ParseFleet(std::string_view text, std::string_view file_name);

// The defaults alone, for a program that was given no fleet file.
v1::FleetConfig DefaultFleet();

}  // namespace perigee
