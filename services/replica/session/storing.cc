#include "services/replica/session/storing.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include "lib/http_semantics/validation.h"
#include "lib/http_semantics/vary.h"

namespace perigee::replica {
namespace {

void Store(Cache& cache, Storing storing, Chunk body) {
  if (storing.head.status != 204) {
    storing.head.headers.Set("Content-Length", fmt::format("{}", body->size()));
  }
  StoredResponse stored{.head = std::move(storing.head), .body = std::move(body)};
  const InsertResult result = cache.Insert(storing.key, storing.request, std::move(stored), storing.asked_at);
  if (result != InsertResult::kStored) spdlog::debug("{} not stored: {}", storing.key, Name(result));
}

}  // namespace

std::optional<uint64_t> BodyLength(const OriginConnection& connection) {
  if (connection.framing() == Framing::kContentLength) return connection.content_length();
  if (connection.framing() == Framing::kNone) return 0;
  return std::nullopt;
}

std::optional<std::string_view> WhyNotShared(const Context& context, const OriginConnection& connection,
                                             const http::HeaderList& sent) {
  if (BodyLength(connection).value_or(0) > context.limits.max_object_bytes) return "too-large";
  const auto verdict = http::JudgeStorability("GET", sent, connection.head(), context.policy);
  if (verdict != http::Storability::kStore) return http::Name(verdict);
  if (connection.head().bad_tags) return "bad-tags";
  return std::nullopt;
}

void ForgetSuperseded(const Context& context, const std::string& key, int status, std::string_view why_not) {
  const bool other_user = why_not == http::Name(http::Storability::kAuthorization);
  if (!other_user && !http::IsServerTrouble(status)) context.cache.Erase(key);
}

void Publish(const Context& context, Flight& flight, const Storing& storing, std::optional<uint64_t> length) {
  const std::string vary_names = http::VaryNames(storing.head.headers).value_or("");
  flight.Publish({.head = storing.head,
                  .freshness = http::FreshnessOf(storing.head, context.policy),
                  .vary_names = vary_names,
                  .variant_key = http::VariantKey(vary_names, storing.request),
                  .content_length = length});
}

Task<> Fill(Context& context, std::unique_ptr<OriginConnection> connection, FlightTable::Lease lease,
            Storing storing) {
  Flight& flight = *lease.flight();
  while (!connection->body_done()) {
    std::string piece;
    const FetchError error = co_await connection->ReadBody(&piece);
    if (error != FetchError::kNone) {
      spdlog::warn("{}: the origin's answer ended early: {}", storing.key, Name(error));
      context.counters.CountOriginFailure(error);
      flight.Fail(error);
      co_return;
    }
    if (piece.empty()) break;
    const bool wanted = co_await flight.Append(context.executor, std::move(piece));
    if (!wanted) co_return;
    if (flight.windowed()) lease.Close();
  }
  context.pool.Release(std::move(connection));
  // Stored before its readers learn that it is complete: who asks again finds it.
  if (Chunk body = flight.WholeBody()) Store(context.cache, std::move(storing), std::move(body));
  flight.Finish();
}

FlightHead HeadOf(const std::shared_ptr<const StoredResponse>& complete) {
  return {.vary_names = complete->vary_names, .variant_key = complete->variant_key, .refreshed = complete};
}

Freshened Freshen(Context& context, const std::string& key, const http::HeaderList& request,
                  const std::shared_ptr<const StoredResponse>& stored, const http::ResponseHead& update,
                  uint64_t asked_at) {
  http::ResponseHead allowed = update;
  if (!context.policy.store_set_cookie) allowed.headers.Remove("Set-Cookie");
  http::ResponseHead merged = http::MergeNotModified(stored->head, allowed);
  const auto verdict = http::JudgeStorability("GET", request, merged, context.policy);
  const bool shareable = verdict == http::Storability::kStore;
  auto response = context.cache.Refresh(key, request, stored, std::move(merged), asked_at);
  if (!shareable) context.cache.Erase(key);
  return {.response = std::move(response), .shareable = shareable};
}

void Publish(Flight& flight, const Freshened& fresh) {
  fresh.shareable ? flight.Publish(HeadOf(fresh.response)) : flight.GoAlone();
}

}  // namespace perigee::replica
