#include "lib/http_semantics/storability.h"

#include <algorithm>
#include <iterator>

#include "lib/http_semantics/cache_control.h"
#include "lib/http_semantics/freshness.h"
#include "lib/http_semantics/targeted.h"
#include "lib/http_semantics/validation.h"
#include "lib/http_semantics/vary.h"

namespace perigee::http {
namespace {

// Statuses whose caching rules this cache implements (RFC 9110 §15).
constexpr int kUnderstood[] = {200, 201, 202, 203, 204, 205, 300, 301, 302, 303, 307, 308,
                               400, 401, 402, 403, 404, 405, 406, 407, 409, 410, 411, 414,
                               415, 421, 422, 426, 451, 500, 501, 502, 503, 504, 505};
constexpr int kHeuristic[] = {200, 203, 204, 300, 301, 308, 404, 405, 410, 414, 501};
// What was wrong with one request's credentials, time, body, conditions, range, Expect, rate, fields or
// network, none of which is in the key: kept, such an answer would be everybody's (H. V. Nguyen et al., "Your
// Cache Has Fallen", CCS 2019). RFC 6585 forbids to store 428, 429, 431 and 511.
constexpr int kRequestFault[] = {401, 407, 408, 412, 413, 416, 417, 428, 429, 431, 511};
// Many servers refuse fields of more than 8 KB, with whatever status: an error may be about those of this one
// request when it has more than half of that.
constexpr size_t kOrdinaryFieldBytes = 4'096;

template <size_t N>
bool Contains(const int (&statuses)[N], int status) {
  return std::find(std::begin(statuses), std::end(statuses), status) != std::end(statuses);
}

Storability JudgeStatus(const HeaderList& request, int status, const CacheControl& response) {
  if (status < 200) return Storability::kNotFinal;
  if (status == 206 || status == 304) return Storability::kPartial;
  if (Contains(kRequestFault, status)) return Storability::kRequestFault;
  if (status >= 400 && request.text().size() > kOrdinaryFieldBytes) return Storability::kRequestFault;
  if (response.must_understand && !Contains(kUnderstood, status)) return Storability::kNotUnderstood;
  return Storability::kStore;
}

bool AllowsSharingWithAuthorization(const CacheControl& response) {
  return response.is_public || response.must_revalidate || response.s_maxage.has_value();
}

// Set-Cookie="…" in no-cache or private takes it out of what is stored, and out of what others get.
bool SharesSetCookie(const HeaderList& headers, const CacheControl& response) {
  const auto names_it = [](const std::vector<std::string>& fields) {
    return std::find(fields.begin(), fields.end(), "set-cookie") != fields.end();
  };
  return headers.Has("Set-Cookie") && !names_it(response.no_cache_fields) &&
         !names_it(response.private_fields);
}

Storability JudgeDirectives(const HeaderList& request, const HeaderList& headers,
                            const CacheControl& response, const CachePolicy& policy) {
  if (ParseCacheControl(request).no_store) return Storability::kRequestNoStore;
  // A cache that understands the status ignores the no-store beside must-understand (RFC 9111 §5.2.2.3).
  const bool no_store = response.no_store && !response.must_understand;
  const bool shares = !no_store && !response.is_private && AllowsSharingWithAuthorization(response);
  if (request.Has("Authorization") && !shares) return Storability::kAuthorization;
  if (no_store) return Storability::kResponseNoStore;
  if (response.is_private) return Storability::kPrivate;
  if (!policy.store_set_cookie && SharesSetCookie(headers, response)) return Storability::kSetCookie;
  if (!VaryNames(headers)) return Storability::kVaryStar;
  return Storability::kStore;
}

// Whether it may ever be served without asking the origin for it first: fresh, or by RFC 5861.
bool IsOfUse(const Freshness& response) {
  std::chrono::seconds usable = response.lifetime;
  if (!response.must_revalidate) {
    usable += std::max({response.stale_while_revalidate, response.stale_if_error, std::chrono::seconds(0)});
  }
  return !response.no_cache && usable > response.initial_age;
}

Storability JudgeUse(const ResponseHead& response, const CacheControl& directives,
                     const CachePolicy& policy) {
  const bool explicit_freshness = directives.max_age || directives.s_maxage || directives.is_public ||
                                  (!directives.targeted && response.headers.Has("Expires"));
  if (!explicit_freshness && !IsHeuristicallyCacheable(response.status)) return Storability::kNoFreshness;
  const Freshness freshness = FreshnessOf(response, policy);
  if (!IsOfUse(freshness) && !HasValidator(response.headers)) return Storability::kNothingToReuse;
  return Storability::kStore;
}

}  // namespace

std::string_view Name(Storability verdict) {
  switch (verdict) {
    case Storability::kStore:
      return "store";
    case Storability::kMethod:
      return "method";
    case Storability::kNotFinal:
      return "not-final";
    case Storability::kPartial:
      return "partial";
    case Storability::kRequestFault:
      return "request-fault";
    case Storability::kNotUnderstood:
      return "not-understood";
    case Storability::kRequestNoStore:
      return "request-no-store";
    case Storability::kResponseNoStore:
      return "no-store";
    case Storability::kPrivate:
      return "private";
    case Storability::kAuthorization:
      return "authorization";
    case Storability::kSetCookie:
      return "set-cookie";
    case Storability::kVaryStar:
      return "vary-star";
    case Storability::kNoFreshness:
      return "no-freshness";
    case Storability::kNothingToReuse:
      return "nothing-to-reuse";
  }
  return "unknown";
}

Storability JudgeStorability(std::string_view method, const HeaderList& request, const ResponseHead& response,
                             const CachePolicy& policy) {
  if (method != "GET") return Storability::kMethod;
  const CacheControl directives = ParseResponseCacheControl(response.headers);
  Storability verdict = JudgeStatus(request, response.status, directives);
  if (verdict == Storability::kStore) {
    verdict = JudgeDirectives(request, response.headers, directives, policy);
  }
  if (verdict == Storability::kStore) verdict = JudgeUse(response, directives, policy);
  return verdict;
}

Storability JudgePart(const HeaderList& request, const ResponseHead& part, const CachePolicy& policy) {
  ResponseHead whole = part;
  whole.status = 200;
  return JudgeStorability("GET", request, whole, policy);
}

HeaderList HeadersToStore(const HeaderList& response) {
  HeaderList stored = response;
  stored.RemoveHopByHop();
  const CacheControl directives = ParseResponseCacheControl(response);
  for (const std::string& name : directives.no_cache_fields) stored.Remove(name);
  for (const std::string& name : directives.private_fields) stored.Remove(name);
  return stored;
}

bool IsRequestsDoing(Storability verdict) {
  return verdict == Storability::kRequestFault || verdict == Storability::kRequestNoStore ||
         verdict == Storability::kAuthorization;
}

bool IsHeuristicallyCacheable(int status) { return Contains(kHeuristic, status); }

}  // namespace perigee::http
