// What an unsafe request invalidates beside its own target (RFC 9111 §4.4).
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "lib/http_semantics/headers.h"

namespace perigee::http {

// Path and query ("/a?b") that `reference` (RFC 3986 §4.1) means at `base`, itself a path with perhaps a
// query; without a fragment. Nothing when it is malformed, of another scheme than http and https, or when its
// authority is none of `authorities`. The ports 80 and 443 are as none.
std::optional<std::string> ResolvePath(std::string_view base, std::string_view reference,
                                       const std::vector<std::string_view>& authorities);

// The targets that a response with `headers` to an unsafe request for `base` invalidates: those of Location
// and Content-Location that are of the same origin.
std::vector<std::string> InvalidatedPaths(std::string_view base, const HeaderList& headers,
                                          const std::vector<std::string_view>& authorities);

}  // namespace perigee::http
