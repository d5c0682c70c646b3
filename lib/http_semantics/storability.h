// Whether a shared cache may store a response (RFC 9111 §3), and which of its fields (§3.1).
#pragma once

#include <chrono>
#include <string_view>

#include "lib/http_semantics/message.h"

namespace perigee::http {

struct CachePolicy {
  // Freshness of a response that states none, as a share of its age since Last-Modified (RFC 9111 §4.2.2).
  double heuristic_fraction = 0.1;
  std::chrono::seconds heuristic_cap{std::chrono::hours(24)};
  // The same for a 404, 405, 410, 414 or 501, whenever it was modified. 0: as for every other response, for
  // what was not there a moment ago should be found as soon as it is.
  std::chrono::seconds negative_ttl{0};
  // How long after its lifetime a response that says nothing of it may stand in for an unreachable origin.
  std::chrono::seconds max_stale_if_unreachable{std::chrono::hours(24 * 7)};
  // RFC 9111 §7.3 allows to store a response with Set-Cookie; operators fear to hand one user's cookie to
  // all.
  bool store_set_cookie = false;
};

enum class Storability {
  kStore,
  kMethod,         // only responses to GET are stored
  kNotFinal,       // 1xx
  kPartial,        // 206 and 304 are no whole responses
  kRequestFault,   // 401, 407, 408, 412, 413, 416, 417, 428, 429, 431, 511, and errors that may be due to
                   // its oversized fields: about one request alone
  kNotUnderstood,  // must-understand with a status that this cache does not know
  kRequestNoStore,
  kResponseNoStore,
  kPrivate,
  kAuthorization,   // the request had Authorization and the response does not allow sharing (§3.5)
  kSetCookie,       // CachePolicy::store_set_cookie is off, and neither no-cache nor private names it
  kVaryStar,        // Vary: * never matches a later request, nor does X-Forwarded-For (vary.h)
  kNoFreshness,     // nothing allows storing: no explicit freshness, no heuristically cacheable status
  kNothingToReuse,  // would be stale at once, without RFC 5861's leave to be served, and has no validator
};
// "store", "method", "not-final" …: the words of logs and of Cache-Status detail.
std::string_view Name(Storability verdict);

// `method` and `request` are what was sent to the origin.
Storability JudgeStorability(std::string_view method, const HeaderList& request, const ResponseHead& response,
                             const CachePolicy& policy);

// The same of a 206, by the rules of the 200 that it is a part of (§3.3). Whether its bytes may be told from
// those of another representation is the caller's affair.
Storability JudgePart(const HeaderList& request, const ResponseHead& part, const CachePolicy& policy);

// Whether it is for the request's sake that a response is not stored: it tells nothing of what is stored.
bool IsRequestsDoing(Storability verdict);

// The response's end-to-end fields without those that no-cache="…" and private="…" name.
HeaderList HeadersToStore(const HeaderList& response);

// The statuses that may be given a heuristic lifetime (RFC 9110 §15.1, without 206).
bool IsHeuristicallyCacheable(int status);

}  // namespace perigee::http
