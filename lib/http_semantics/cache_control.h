// Cache-Control directives of requests and responses (RFC 9111 §5.2).
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "lib/http_semantics/headers.h"

namespace perigee::http {

// What an overflowing delta-seconds stands for (RFC 9111 §1.2.2).
inline constexpr std::chrono::seconds kMaxDelta{int64_t{1} << 31};

// "3600"; too large is kMaxDelta; nothing when it is not a row of digits.
std::optional<std::chrono::seconds> ParseDeltaSeconds(std::string_view text);

// Of a directive that comes twice the first counts (RFC 9111 §4.2.1). Arguments may be tokens or quoted.
// Unknown directives are ignored.
struct CacheControl {
  bool no_store = false;
  bool no_cache = false;    // without field names
  bool is_private = false;  // without field names
  bool is_public = false;
  bool must_revalidate = false;
  bool proxy_revalidate = false;
  bool must_understand = false;
  bool only_if_cached = false;
  bool targeted = false;  // from a field for this cache alone: see targeted.h

  // Lower case: the fields that no-cache="…" and private="…" name.
  std::vector<std::string> no_cache_fields;
  std::vector<std::string> private_fields;

  // An argument that is no number counts as 0, that is, as stale (RFC 9111 §4.2.1).
  std::optional<std::chrono::seconds> max_age;
  std::optional<std::chrono::seconds> s_maxage;
  // Arguments that are no number are ignored. max-stale without one is seconds::max().
  std::optional<std::chrono::seconds> min_fresh;
  std::optional<std::chrono::seconds> max_stale;
  // RFC 5861; of a response, stale_if_error also of a request.
  std::optional<std::chrono::seconds> stale_while_revalidate;
  std::optional<std::chrono::seconds> stale_if_error;
};

CacheControl ParseCacheControl(const HeaderList& headers);

// Of a request: Pragma: no-cache counts as no-cache when there is no Cache-Control (RFC 9111 §5.4).
CacheControl ParseRequestCacheControl(const HeaderList& headers);

}  // namespace perigee::http
