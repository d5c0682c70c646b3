#include "services/replica/session/leading.h"

#include "lib/http_semantics/range.h"
#include "lib/http_semantics/validation.h"
#include "lib/http_semantics/vary.h"
#include "services/replica/fetch/origin_request.h"

namespace perigee::replica {
namespace {

// Whether `part` has bytes of what is stored, whole or in parts.
bool IsOfSameWhole(const StoredResponse* stored, const http::ResponseHead& part) {
  const auto range = http::ContentRangeOf(part);
  if (!stored || !range || range->complete != stored->body_bytes) return false;
  const auto ours = http::StrongValidator(stored->head.headers, part.response_time);
  return ours && ours == http::StrongValidator(part.headers, part.response_time);
}

// Why a 206 is no part that others could use, before the rules that it shares with a 200.
std::optional<std::string_view> WhyNoPart(const Errand& errand, const OriginConnection& connection) {
  const http::ResponseHead& head = connection.head();
  const auto range = http::ContentRangeOf(head);
  if (!range || http::IsMultipartRange(head.headers)) return "no-single-range";
  if (BodyLength(connection).value_or(range->range.size()) != range->range.size()) return "bad-range";
  if (!http::StrongValidator(head.headers, head.response_time)) return "no-strong-validator";
  if (errand.stored && !errand.stored->parts && IsOfSameWhole(errand.stored.get(), head)) return "whole";
  // To If-Range the origin leaves out what its client knows already (RFC 9110 §15.3.7).
  const bool abridged = errand.request.headers.Has("If-Range");
  if (abridged && !IsOfSameWhole(errand.parts.get(), head)) return "if-range";
  return std::nullopt;
}

// Why a response is not for others, and whether that is its request's doing (http::IsRequestsDoing).
struct NotShared {
  std::string_view why;
  bool of_request = false;
};

// Why `connection`'s response is not for others; nothing when it may be shared and stored. `sent`: the fields
// that the origin was asked with.
std::optional<NotShared> WhyNotShared(const Context& context, const Errand& errand,
                                      const OriginConnection& connection, const http::HeaderList& sent) {
  const http::ResponseHead& head = connection.head();
  const bool part = errand.in_part && head.status == 206;
  const auto why_no_part = part ? WhyNoPart(errand, connection) : std::nullopt;
  if (why_no_part) return NotShared{*why_no_part};
  const auto range = http::ContentRangeOf(head);
  const uint64_t length = BodyLength(connection).value_or(part ? range->range.size() : 0);
  if (length > context.limits.max_object_bytes) return NotShared{"too-large"};
  const auto verdict = part ? http::JudgePart(sent, head, context.policy)
                            : http::JudgeStorability("GET", sent, head, context.policy);
  if (verdict != http::Storability::kStore)
    return NotShared{http::Name(verdict), http::IsRequestsDoing(verdict)};
  if (head.bad_tags) return NotShared{"bad-tags"};
  return std::nullopt;
}

// Whether a response is about the range, or the condition, of one request, and tells nothing of what is
// stored. 412 and 416 are faults of the request.
bool IsAboutRange(const Errand& errand, const http::ResponseHead& head) {
  if (!errand.in_part) return false;
  return head.status == 206 ? IsOfSameWhole(errand.stored.get(), head) : head.status == 304;
}

// Whether a response that is not kept tells of other requests too: what is stored must not come back when the
// origin fails, and others' answers will not be kept either.
bool TellsOfOthers(const Errand& errand, const http::ResponseHead& head, const NotShared& not_shared) {
  // A 400 is stored where it says so, but finds fault with the request.
  return !not_shared.of_request && head.status != 400 && !http::IsServerTrouble(head.status) &&
         !IsAboutRange(errand, head);
}

// The head to be stored. Of a part, what the other parts' head has besides stays (RFC 9111 §3.4).
http::ResponseHead HeadToStore(const Errand& errand, const http::ResponseHead& head) {
  if (head.status == 206 && IsOfSameWhole(errand.parts.get(), head)) {
    http::ResponseHead combined = http::MergeNotModified(errand.parts->parts->newest->head, head);
    combined.headers.Set("Content-Range", *head.headers.Get("Content-Range"));
    return combined;
  }
  http::ResponseHead stored = head;
  stored.headers = http::HeadersToStore(head.headers);
  return stored;
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
    lease.Close();
  } else {
    lease.GoAlone(/*lasting=*/false);
  }
  return {.validated = std::move(fresh.response)};
}

Outcome Judged(Context& context, const Errand& errand, std::unique_ptr<OriginConnection> connection,
               const http::HeaderList& sent, uint64_t asked_at, FlightTable::Lease& lease) {
  const http::ResponseHead& head = connection->head();
  if (const auto not_shared = WhyNotShared(context, errand, *connection, sent)) {
    const bool lasting = TellsOfOthers(errand, head, *not_shared);
    if (errand.stored && lasting) context.cache.EraseSelected(errand.key, errand.request.headers);
    lease.GoAlone(lasting);
    return {.connection = std::move(connection), .why_not = not_shared->why};
  }
  Storing storing{.key = errand.key,
                  .request = SelectingFields(errand.request.headers),
                  .head = HeadToStore(errand, head),
                  .asked_at = asked_at};
  // A part takes no whole's place by itself (Cache::Insert).
  if (head.status == 206 && errand.stored && !errand.stored->parts)
    context.cache.EraseSelected(errand.key, errand.request.headers);
  lease.flight()->Publish(HeadOf(storing, BodyLength(*connection), context.policy));
  context.flights.Supersede(errand.key, *lease.flight());
  return {.connection = std::move(connection), .storing = std::move(storing)};
}

// The fields that the origin is asked with. `stored`: what is to be validated, or null.
http::HeaderList FieldsToAsk(const Context& context, const Errand& errand, const StoredResponse* stored) {
  http::HeaderList fields = OriginFields(errand.request, context.origin, errand.client);
  if (!errand.in_part) {
    http::MakeConditional(stored ? stored->head.headers : http::HeaderList(), &fields);
  } else if (stored) {
    http::MakeConditionalInPart(stored->head.headers, &fields);
  }
  return fields;
}

}  // namespace

Task<Outcome> AskOrigin(Context& context, Recorder& recorder, const Errand& errand, FlightTable::Lease& lease,
                        const InterimSink* interim) {
  const uint64_t asked_at = context.cache.PurgeGeneration();
  bool validates = errand.stored && http::HasValidator(errand.stored->head.headers);
  for (;;) {
    const http::HeaderList fields = FieldsToAsk(context, errand, validates ? errand.stored.get() : nullptr);
    const std::string text = OriginRequestText(errand.request, errand.path, fields, false);
    recorder.AskOrigin();
    Fetched fetched = co_await context.pool.Fetch(errand.client, text, Asks::kContent, interim);
    if (fetched.IsUnaskedBy(fields)) fetched = {.error = FetchError::kMalformed};
    recorder.OriginSaid(fetched.error);
    if (fetched.error != FetchError::kNone) {
      // A client that has too much under way is no reason for others to fail.
      if (fetched.error == FetchError::kTooManyOfClient) {
        lease.GoAlone(/*lasting=*/false);
      } else {
        lease.Fail(fetched.error);
      }
      co_return Outcome{.error = fetched.error};
    }
    http::ResponseHead& head = fetched.connection->head();
    PrepareResponse(&head, fetched.connection->minor_version());
    if (errand.stands_in && http::IsServerTrouble(head.status)) {
      FlightHead stored = HeadOf(errand.stored);
      stored.stands_in = true;
      lease.flight()->Publish(std::move(stored));
      context.pool.Release(std::move(fetched.connection));
      co_return Outcome{.error = FetchError::kErrorStatus};
    }
    if (head.status != 304 || !validates) {
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
