// The secondary cache key (RFC 9111 §4.1).
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "lib/http_semantics/headers.h"

namespace perigee::http {

// The field names that Vary lists: lower case, sorted, without duplicates, joined by ','. Empty when the
// response does not vary; nothing when it says "*", which no later request matches, or X-Forwarded-For, which
// is each client's own.
std::optional<std::string> VaryNames(const HeaderList& response);

// The values that `request` has for the names (in the form of VaryNames), normalised where the field's syntax
// allows: lines combined, white space at commas left out; in Accept, Accept-Charset, Accept-Encoding and
// Accept-Language also white space and case, and the order in all of these but Accept. A missing field
// differs from an empty one. Two requests select the same variant when these are equal.
std::string VariantKey(std::string_view vary_names, const HeaderList& request);

}  // namespace perigee::http
