// The part of Handler that fetches through the cache.
#include <fmt/format.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>

#include "lib/http_semantics/validation.h"
#include "lib/http_semantics/vary.h"
#include "lib/log/log.h"
#include "services/replica/fetch/origin_request.h"
#include "services/replica/session/handler.h"
#include "services/replica/session/storing.h"

namespace perigee::replica {
bool Handler::MayShare() const {
  // Such a request wants an answer that was asked for after it came.
  return !at_.control.no_cache && !(at_.control.max_age && at_.control.max_age->count() == 0);
}

Task<bool> Handler::Miss() {
  if (at_.control.only_if_cached) {
    http::CacheStatus status = MissStatus();
    status.detail = "only-if-cached";
    co_return co_await OwnAnswer(504, "not in the cache, and the request says only-if-cached", status);
  }
  context_.counters.misses.Add();
  if (at_.is_head || at_.control.no_store || request().headers.Has("Range")) co_return co_await Direct();
  if (!MayShare()) co_return co_await LeadAlone();

  FlightTable::Seat seat = context_.flights.Join(at_.key);
  if (seat.joined) co_return co_await Follow(std::move(seat.joined));
  // The flight that this request would have joined may have landed a moment ago.
  if (LookUp()) {
    seat.lease->flight()->Publish(HeadOf(at_.found.response));
    const http::CacheStatus status{.ttl = at_.decision.ttl, .detail = Name(at_.found.lookup)};
    co_return co_await Stored(at_.found.response, status);
  }
  co_return co_await Lead(std::move(*seat.lease));
}

Task<bool> Handler::Follow(std::shared_ptr<Flight> flight) {
  context_.counters.collapsed.Add();
  const FlightState state = co_await flight->AwaitHead(context_.executor);
  if (state == FlightState::kFailed) co_return co_await OriginFailed(flight->error(), true);
  if (state == FlightState::kAlone) co_return co_await LeadAlone();

  const FlightHead& head = flight->head();
  if (http::VariantKey(head.vary_names, request().headers) != head.variant_key) {
    co_return co_await LeadAlone();
  }
  http::CacheStatus status = MissStatus();
  status.collapsed = true;
  if (head.refreshed) co_return co_await Stored(head.refreshed, status);
  std::optional<Flight::Reader> reader(std::in_place, flight);
  if (flight->windowed()) {
    reader.reset();
    co_return co_await LeadAlone();
  }
  const auto age = http::CurrentAge(head.freshness, context_.clock.WallNow());
  co_return co_await StreamFlight(*reader, head.head, age, head.content_length, status);
}

Task<bool> Handler::LeadAlone() { return Lead(context_.flights.Solo()); }

Task<bool> Handler::Lead(FlightTable::Lease lease) {
  const std::shared_ptr<const StoredResponse> stored = at_.found.response;
  at_.asked_at = context_.cache.PurgeGeneration();
  bool validates = stored && http::HasValidator(stored->head.headers);
  for (;;) {
    http::HeaderList fields = OriginFields(request(), context_.origin, client_.client());
    if (validates) {
      http::MakeConditional(stored->head.headers, &fields);
    } else {
      http::MakeUnconditional(&fields);
    }
    const std::string text = OriginRequestText(request(), at_.plan.path, fields, false);
    const InterimSink interim = ForwardInterim();
    recorder_.AskOrigin();
    const Asks asks = validates ? Asks::kContent : Asks::kUnconditional;
    Fetched fetched = co_await context_.pool.Fetch(text, asks, &interim);
    recorder_.OriginSaid(fetched.error);
    if (fetched.error != FetchError::kNone) {
      lease.Fail(fetched.error);
      co_return co_await OriginFailed(fetched.error, false);
    }
    PrepareResponse(&fetched.connection->head(), fetched.connection->minor_version());
    if (StandsInFor(fetched.connection->head().status)) {
      lease.flight()->Publish(HeadOf(stored));
      const FetchError error = FetchError::kErrorStatus;
      co_return co_await OriginFailed(error, false);
    }
    if (fetched.connection->head().status != 304) {
      co_return co_await Shared(std::move(lease), std::move(fetched.connection), fields);
    }
    const http::ResponseHead not_modified = std::move(fetched.connection->head());
    context_.pool.Release(std::move(fetched.connection));
    if (http::NotModifiedAppliesTo(stored->head.headers, not_modified.headers)) {
      co_return co_await Validated(std::move(lease), not_modified);
    }
    validates = false;
  }
}

Task<bool> Handler::Validated(FlightTable::Lease lease, const http::ResponseHead& not_modified) {
  context_.counters.revalidated.Add();
  const Freshened fresh =
      Freshen(context_, at_.key, request().headers, at_.found.response, not_modified, at_.asked_at);
  Publish(*lease.flight(), fresh);
  lease.Close();
  http::CacheStatus status = MissStatus();
  status.forward_status = 304;
  co_return co_await Stored(fresh.response, status);
}

Task<bool> Handler::Shared(FlightTable::Lease lease, std::unique_ptr<OriginConnection> connection,
                           const http::HeaderList& sent) {
  const http::ResponseHead head = connection->head();
  http::CacheStatus status = MissStatus();
  status.forward_status = head.status;

  const std::optional<uint64_t> length = BodyLength(*connection);
  if (const auto why_not = WhyNotShared(context_, *connection, sent)) {
    status.detail = *why_not;
    if (at_.found.response) ForgetSuperseded(context_, at_.key, head.status, *why_not);
    lease.flight()->GoAlone();
    lease.Close();
    co_return co_await RelayAndRelease(std::move(connection), status);
  }

  Storing storing{.key = at_.key, .request = request().headers, .head = head, .asked_at = at_.asked_at};
  storing.head.headers = http::HeadersToStore(head.headers);
  storing.request.RemoveHopByHop();  // what Connection names, the origin has not seen: no variant is for it
  const std::shared_ptr<Flight> flight = lease.flight();
  Publish(context_, *flight, storing, length);
  Flight::Reader reader(flight);
  asio::co_spawn(context_.executor,
                 Fill(context_, std::move(connection), std::move(lease), std::move(storing)), asio::detached);
  status.stored = true;
  co_return co_await StreamFlight(reader, head, std::nullopt, length, status);
}

Task<bool> Handler::WriteFlightPiece(Framing framing, const Flight::Reader::Piece& piece) {
  if (piece.chunk) co_return co_await WriteBodyPiece(framing, *piece.chunk);
  const bool chunked = framing == Framing::kChunked;
  const std::string header = chunked ? ChunkHeader(piece.end - piece.begin) : "";
  const bool began = co_await client_.Write(Gather(header));
  if (!began) co_return false;
  const bool written = co_await WriteFromDisk(*piece.on_disk, piece.begin, piece.end);
  if (!written) co_return false;
  co_return co_await client_.Write(Gather(chunked ? "\r\n" : ""));
}

Task<bool> Handler::StreamFlight(Flight::Reader& reader, const http::ResponseHead& head,
                                 std::optional<std::chrono::seconds> age, std::optional<uint64_t> length,
                                 const http::CacheStatus& status) {
  AnswerForm form = Form();
  out_.clear();
  if (ClientHasIt(head)) {
    AppendNotModified(head, age, status);
    const bool written = co_await client_.Write(Gather(out_));
    if (!written) co_return false;
    co_return form.keep_alive;
  }
  const Framing framing =
      length ? Framing::kContentLength : ClientFraming(Framing::kChunked, form.client_minor_version);
  form.keep_alive = form.keep_alive && framing != Framing::kUntilClose;
  AppendHead(head, age, framing, status, form, &out_);
  Log(head.status, status);
  const bool began = co_await client_.Write(Gather(out_));
  if (!began) co_return false;
  for (;;) {
    const Flight::Reader::Piece piece = co_await reader.Next(context_.executor);
    if (piece.error != FetchError::kNone) {
      client_.Abort();
      co_return false;
    }
    if (!piece.chunk && !piece.on_disk) break;
    const bool written = co_await WriteFlightPiece(framing, piece);
    if (!written) co_return false;
  }
  const bool ended = co_await EndBody(framing);
  if (!ended) co_return false;
  co_return form.keep_alive;
}

}  // namespace perigee::replica
