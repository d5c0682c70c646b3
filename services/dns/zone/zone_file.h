// Reads master files (RFC 1035 §5; $TTL by RFC 2308 §4; TTLs may have units, as in "1h30m").
//
// A broken zone is refused whole. Errors are "file:line: what is wrong and what to do", for the first thing
// that is; the line is that of the record's start, or of the word that is at fault.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>

#include "absl/functional/function_ref.h"
#include "absl/status/statusor.h"
#include "services/dns/zone/zone.h"

namespace perigee::dns {

inline constexpr size_t kMaxZoneText =
    size_t{64} * 1024 * 1024;  // octets, of a file and all that it includes
inline constexpr size_t kMaxZoneRecords = 1'000'000;
inline constexpr size_t kMaxIncludeDepth = 8;
inline constexpr size_t kMaxIncludes = 1'000;  // of one zone

// The text of an included file. Its path is that of the $INCLUDE, taken from the including file's folder when
// it is relative.
using IncludeLoader = absl::FunctionRef<absl::StatusOr<std::string>(const std::string& path)>;

// `file_name` is for messages and for the folder of included files. `steered` are absolute names of the zone.
// The class is IN; $GENERATE and signed zones (RRSIG, NSEC, NSEC3) are refused. Without $TTL, a record
// without a TTL has that of the record before it (RFC 1035 §5.1). InvalidArgument, with file and line.
absl::StatusOr<Zone> ReadZone(std::string_view text, std::string_view file_name, NameView apex,
                              std::span<const Name> steered, IncludeLoader load);

// From the disk. Errors of the reading are those of lib/base/read_file.h, with a limit of kMaxZoneText.
absl::StatusOr<Zone> LoadZoneFile(const std::string& path, NameView apex, std::span<const Name> steered);

}  // namespace perigee::dns
