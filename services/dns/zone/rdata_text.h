// RDATA from master-file text to the wire: by ldns, and by RFC 3597 for what ldns does not know.
#pragma once

#include <span>
#include <string_view>

#include "absl/status/statusor.h"
#include "services/dns/zone/zone_builder.h"
#include "services/dns/zone/zone_scanner.h"

namespace perigee::dns {

// The octets of text that one record's RDATA may have; the generic form "\# length hex" may be longer.
inline constexpr size_t kMaxRdataText = 8'000;

// "MX", "TYPE65280". Zero when it is no type.
RrType ParseType(std::string_view text);

// A name as a master file has it: "@" is the origin, and without a final dot it is relative to that.
absl::StatusOr<Name> ParseRelativeName(std::string_view text, NameView origin);

// Relative names are relative to `origin`. InvalidArgument says what is wrong, without the place.
absl::StatusOr<RdataBuffer> ParseRdata(RrType type, std::span<const ZoneToken> tokens, NameView origin);

}  // namespace perigee::dns
