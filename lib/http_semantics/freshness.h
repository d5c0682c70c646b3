// How long a stored response is fresh and what may be done with it (RFC 9111 §4.2, §5.2, §5.4).
#pragma once

#include <chrono>

#include "lib/http_semantics/cache_control.h"
#include "lib/http_semantics/message.h"
#include "lib/http_semantics/storability.h"

namespace perigee::http {

// What the rules need of a stored response, worked out once so that a hit parses no header.
struct Freshness {
  std::chrono::seconds lifetime{0};
  // corrected_initial_age of RFC 9111 §4.2.3, and the moment that it belongs to.
  std::chrono::seconds initial_age{0};
  WallTime response_time;
  bool no_cache = false;
  // must-revalidate, proxy-revalidate or s-maxage: never stale without the origin's word (§5.2.2.2, .8, .10).
  bool must_revalidate = false;
  // RFC 5861: how long after its lifetime it may be served while it is being validated, and when the origin
  // fails. seconds(-1): nothing was said.
  std::chrono::seconds stale_while_revalidate{0};
  std::chrono::seconds stale_if_error{-1};
};

Freshness FreshnessOf(const ResponseHead& response, const CachePolicy& policy);

// The current age, at least 0; what the Age field of an answer says. A clock that went back adds nothing.
std::chrono::seconds CurrentAge(const Freshness& stored, WallTime now);

enum class Reuse {
  kServe,           // as it is
  kRevalidate,      // ask the origin first; when the origin cannot be reached, the stored one may be served
  kMustRevalidate,  // ask the origin first; when it cannot be reached, 504 (RFC 9111 §5.2.2.2)
};

enum class ReuseReason {
  kFresh,
  kMaxStale,              // stale, and the client's max-stale accepts it
  kStaleWhileRevalidate,  // serve it, and ask the origin behind the answer
  kExpired,
  kResponseNoCache,
  kRequestNoCache,  // Cache-Control: no-cache or Pragma: no-cache
  kRequestMaxAge,
  kRequestMinFresh,
};

struct ReuseDecision {
  Reuse reuse = Reuse::kMustRevalidate;
  ReuseReason reason = ReuseReason::kExpired;
  std::chrono::seconds age{0};
  // Seconds of freshness left; negative when stale (the ttl of Cache-Status).
  std::chrono::seconds ttl{0};

  bool serve() const { return reuse == Reuse::kServe; }
};

// `request` from ParseRequestCacheControl. only-if-cached is the caller's: where this does not say kServe, or
// where nothing is stored, it makes the answer 504 (RFC 9111 §5.2.1.7).
ReuseDecision DecideReuse(const Freshness& stored, const CacheControl& request, WallTime now);

enum class OriginTrouble {
  kUnreachable,  // no answer at all, or none that is HTTP
  kErrorStatus,  // an answer whose IsServerTrouble(status)
};
// 500, 502, 503, 504 (RFC 5861 §4).
bool IsServerTrouble(int status);

// Whether `stored`, which `decision` wants to be validated first, may be served in place of the error. When
// the origin is unreachable: unless a directive forbids stale answers (RFC 9111 §4.2.4), within the
// stale-if-error of response or request, or without one within policy.max_stale_if_unreachable. On an error
// status: only within a stale-if-error.
bool MayServeOnError(const Freshness& stored, const CacheControl& request, const ReuseDecision& decision,
                     OriginTrouble trouble, const CachePolicy& policy);

}  // namespace perigee::http
