#include "lib/http_semantics/freshness.h"

#include <algorithm>
#include <optional>

#include "lib/http_semantics/http_date.h"
#include "lib/http_semantics/targeted.h"

namespace perigee::http {
namespace {

using std::chrono::floor;
using std::chrono::seconds;

std::optional<WallTime> DateField(const HeaderList& headers, std::string_view name, WallTime now) {
  const auto value = headers.Get(name);
  return value ? ParseHttpDate(*value, now) : std::nullopt;
}

seconds HeuristicLifetime(const ResponseHead& response, bool is_public, WallTime date,
                          const CachePolicy& policy) {
  if (!is_public && !IsHeuristicallyCacheable(response.status)) return seconds(0);
  if (response.status >= 400 && IsHeuristicallyCacheable(response.status) &&
      policy.negative_ttl > seconds::zero()) {
    return policy.negative_ttl;
  }
  const auto modified = DateField(response.headers, "Last-Modified", response.response_time);
  if (!modified || *modified >= date) return seconds(0);
  const double share = std::chrono::duration<double>(date - *modified).count() * policy.heuristic_fraction;
  return std::min(seconds(static_cast<int64_t>(share)), policy.heuristic_cap);
}

seconds LifetimeOf(const ResponseHead& response, const CacheControl& directives, WallTime date,
                   const CachePolicy& policy) {
  if (directives.s_maxage) return *directives.s_maxage;
  if (directives.max_age) return *directives.max_age;
  if (directives.targeted) return seconds(0);
  if (response.headers.Has("Expires")) {  // an invalid date, "0" above all, means the past (RFC 9111 §5.3)
    const WallTime expires = DateField(response.headers, "Expires", response.response_time).value_or(date);
    return std::clamp(floor<seconds>(expires - date), seconds(0), kMaxDelta);
  }
  return HeuristicLifetime(response, directives.is_public, date, policy);
}

seconds InitialAge(const ResponseHead& response, WallTime date) {
  const auto age_field = response.headers.ListElements("Age");
  const seconds age_value =
      age_field.empty() ? seconds(0) : ParseDeltaSeconds(age_field.front()).value_or(seconds(0));
  const auto apparent = std::clamp(floor<seconds>(response.response_time - date), seconds(0), kMaxDelta);
  const auto delay = std::max(floor<seconds>(response.response_time - response.request_time), seconds(0));
  return std::max(apparent, age_value + delay);
}

// The stale part that max-stale accepts; nothing when the response forbids it or there is none.
bool AcceptsStale(const Freshness& stored, const CacheControl& request, seconds staleness) {
  return request.max_stale && !stored.must_revalidate && staleness <= *request.max_stale;
}

}  // namespace

Freshness FreshnessOf(const ResponseHead& response, const CachePolicy& policy) {
  const CacheControl directives = ParseResponseCacheControl(response.headers);
  // Without a Date the moment of arrival stands for it (RFC 9110 §6.6.1).
  const WallTime date =
      DateField(response.headers, "Date", response.response_time).value_or(response.response_time);
  Freshness result;
  result.lifetime = LifetimeOf(response, directives, date, policy);
  result.initial_age = InitialAge(response, date);
  result.response_time = response.response_time;
  result.no_cache = directives.no_cache;
  result.must_revalidate =
      directives.must_revalidate || directives.proxy_revalidate || directives.s_maxage.has_value();
  result.stale_while_revalidate = directives.stale_while_revalidate.value_or(seconds(0));
  result.stale_if_error = directives.stale_if_error.value_or(seconds(-1));
  return result;
}

seconds CurrentAge(const Freshness& stored, WallTime now) {
  return stored.initial_age + std::max(floor<seconds>(now - stored.response_time), seconds(0));
}

ReuseDecision DecideReuse(const Freshness& stored, const CacheControl& request, WallTime now) {
  const seconds age = CurrentAge(stored, now);
  const seconds ttl = stored.lifetime - age;
  const auto decide = [&](Reuse reuse, ReuseReason reason) { return ReuseDecision{reuse, reason, age, ttl}; };
  const Reuse revalidate =
      stored.must_revalidate && ttl <= seconds(0) ? Reuse::kMustRevalidate : Reuse::kRevalidate;

  if (stored.no_cache) return decide(Reuse::kMustRevalidate, ReuseReason::kResponseNoCache);
  if (request.no_cache) return decide(Reuse::kMustRevalidate, ReuseReason::kRequestNoCache);
  if (request.min_fresh && ttl < *request.min_fresh) return decide(revalidate, ReuseReason::kRequestMinFresh);
  if (request.max_age && age > *request.max_age) return decide(revalidate, ReuseReason::kRequestMaxAge);
  if (ttl > seconds(0)) return decide(Reuse::kServe, ReuseReason::kFresh);
  if (AcceptsStale(stored, request, -ttl)) return decide(Reuse::kServe, ReuseReason::kMaxStale);
  if (!stored.must_revalidate && -ttl < stored.stale_while_revalidate) {
    return decide(Reuse::kServe, ReuseReason::kStaleWhileRevalidate);
  }
  return decide(revalidate, ReuseReason::kExpired);
}

bool IsServerTrouble(int status) { return status == 500 || status == 502 || status == 503 || status == 504; }

bool MayServeOnError(const Freshness& stored, const CacheControl& request, const ReuseDecision& decision,
                     OriginTrouble trouble, const CachePolicy& policy) {
  if (decision.reuse == Reuse::kMustRevalidate || stored.must_revalidate) return false;
  const seconds asked = std::max(stored.stale_if_error, request.stale_if_error.value_or(seconds(-1)));
  if (asked < seconds(0) && trouble == OriginTrouble::kErrorStatus) return false;
  return -decision.ttl <= (asked < seconds(0) ? policy.max_stale_if_unreachable : asked);
}

}  // namespace perigee::http
