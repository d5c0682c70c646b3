#include "services/replica/session/leading.h"

#include "lib/http_semantics/validation.h"
#include "lib/http_semantics/vary.h"
#include "services/replica/fetch/origin_request.h"

namespace perigee::replica {
namespace {

// Why `connection`'s response is not for others; nothing when it may be shared and stored. `sent`: the fields
// that the origin was asked with.
std::optional<std::string_view> WhyNotShared(const Context& context, const OriginConnection& connection,
                                             const http::HeaderList& sent) {
  if (BodyLength(connection).value_or(0) > context.limits.max_object_bytes) return "too-large";
  const auto verdict = http::JudgeStorability("GET", sent, connection.head(), context.policy);
  if (verdict != http::Storability::kStore) return http::Name(verdict);
  if (connection.head().bad_tags) return "bad-tags";
  return std::nullopt;
}

// Whether what is stored must not come back when the origin fails, for a response that is not kept has come
// in its place.
bool Supersedes(int status, std::string_view why_not) {
  const bool of_this_request = why_not == http::Name(http::Storability::kAuthorization) ||
                               why_not == http::Name(http::Storability::kRequestFault);
  return !of_this_request && !http::IsServerTrouble(status);
}

FlightHead HeadOf(const Storing& storing, std::optional<uint64_t> length, const http::CachePolicy& policy) {
  std::string vary_names = http::VaryNames(storing.head.headers).value_or("");
  std::string variant_key = http::VariantKey(vary_names, storing.request);
  return {.head = storing.head,
          .freshness = http::FreshnessOf(storing.head, policy),
          .vary_names = std::move(vary_names),
          .variant_key = std::move(variant_key),
          .content_length = length};
}

Outcome Validated(Context& context, const Errand& errand, const http::ResponseHead& not_modified,
                  uint64_t asked_at, FlightTable::Lease& lease) {
  context.counters.revalidated.Add();
  Freshened fresh =
      Freshen(context, errand.key, errand.request.headers, errand.stored, not_modified, asked_at);
  if (fresh.shareable) {
    lease.flight()->Publish(HeadOf(fresh.response));
  } else {
    lease.flight()->GoAlone();
  }
  lease.Close();
  return {.validated = std::move(fresh.response)};
}

Outcome Judged(Context& context, const Errand& errand, std::unique_ptr<OriginConnection> connection,
               const http::HeaderList& sent, uint64_t asked_at, FlightTable::Lease& lease) {
  const http::ResponseHead& head = connection->head();
  if (const auto why_not = WhyNotShared(context, *connection, sent)) {
    if (errand.stored && Supersedes(head.status, *why_not)) context.cache.Erase(errand.key);
    lease.flight()->GoAlone();
    lease.Close();
    return {.connection = std::move(connection), .why_not = *why_not};
  }
  Storing storing{.key = errand.key,
                  .request = SelectingFields(errand.request.headers),
                  .head = head,
                  .asked_at = asked_at};
  storing.head.headers = http::HeadersToStore(head.headers);
  lease.flight()->Publish(HeadOf(storing, BodyLength(*connection), context.policy));
  return {.connection = std::move(connection), .storing = std::move(storing)};
}

}  // namespace

Task<Outcome> AskOrigin(Context& context, Recorder& recorder, const Errand& errand, FlightTable::Lease& lease,
                        const InterimSink* interim) {
  const uint64_t asked_at = context.cache.PurgeGeneration();
  bool validates = errand.stored && http::HasValidator(errand.stored->head.headers);
  for (;;) {
    http::HeaderList fields = OriginFields(errand.request, context.origin, errand.client);
    http::MakeConditional(validates ? errand.stored->head.headers : http::HeaderList(), &fields);
    const std::string text = OriginRequestText(errand.request, errand.path, fields, false);
    recorder.AskOrigin();
    const Asks asks = validates ? Asks::kContent : Asks::kUnconditional;
    Fetched fetched = co_await context.pool.Fetch(text, asks, interim);
    recorder.OriginSaid(fetched.error);
    if (fetched.error != FetchError::kNone) {
      lease.Fail(fetched.error);
      co_return Outcome{.error = fetched.error};
    }
    http::ResponseHead& head = fetched.connection->head();
    PrepareResponse(&head, fetched.connection->minor_version());
    if (errand.stands_in && http::IsServerTrouble(head.status)) {
      lease.flight()->Publish(HeadOf(errand.stored));
      co_return Outcome{.error = FetchError::kErrorStatus};
    }
    if (head.status != 304) {
      co_return Judged(context, errand, std::move(fetched.connection), fields, asked_at, lease);
    }
    const http::ResponseHead not_modified = std::move(head);
    context.pool.Release(std::move(fetched.connection));
    if (http::NotModifiedAppliesTo(errand.stored->head.headers, not_modified.headers)) {
      co_return Validated(context, errand, not_modified, asked_at, lease);
    }
    validates = false;
  }
}

}  // namespace perigee::replica
