// Cache directives that a response addresses to this cache alone, in place of Cache-Control:
// CDN-Cache-Control (RFC 9213), and the older Surrogate-Control (W3C Note "Edge Architecture Specification").
#pragma once

#include <string_view>

#include "lib/http_semantics/cache_control.h"
#include "lib/http_semantics/headers.h"

namespace perigee::http {

// Who a directive of Surrogate-Control is for, when it says so; and what tells the origin that it is heeded.
inline constexpr std::string_view kSurrogateName = "perigee";
inline constexpr std::string_view kSurrogateCapability = "perigee=\"Surrogate/1.0\"";

// What a response asks of this cache: CDN-Cache-Control; without one, Surrogate-Control; else Cache-Control.
// A targeted field that is empty or no valid Structured Field counts as absent (RFC 9213 §2.2). A member of
// another type than its directive's alone is ignored (§2.1); where there is no other, so is the field, for
// Cache-Control may forbid what it does not say. With a targeted one (`targeted`), the response's Expires and
// Cache-Control have no say.
CacheControl ParseResponseCacheControl(const HeaderList& response);

}  // namespace perigee::http
