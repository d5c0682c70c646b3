// The Cache-Status field (RFC 9211): how this cache handled a request.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

namespace perigee::http {

// Why a request was forwarded (RFC 9211 §2.2).
enum class Forward {
  kNone,    // it was not
  kBypass,  // the cache was configured not to handle it
  kMethod,
  kUriMiss,   // nothing stored under the key
  kVaryMiss,  // only other variants stored
  kMiss,      // nothing usable; more is not known
  kPartial,   // parts are stored, but not all that is asked for
  kRequest,   // usable, but the request's directives forbid it
  kStale,
};
std::string_view Name(Forward forward);

struct CacheStatus {
  Forward forward = Forward::kNone;         // kNone is a hit
  std::optional<std::chrono::seconds> ttl;  // of the stored response, negative when stale
  std::optional<int> forward_status;        // what the origin answered
  bool stored = false;
  bool collapsed = false;   // waited for another request's fetch
  std::string_view detail;  // a token such as "memory" or "disk"; left out when empty or not a token
};

inline constexpr std::string_view kCacheStatusName = "Perigee";

// "Perigee; hit; ttl=30" or "Perigee; fwd=stale; fwd-status=304; collapsed".
std::string FormatCacheStatus(const CacheStatus& status);
void AppendCacheStatus(const CacheStatus& status, std::string* out);

}  // namespace perigee::http
