// The part of Handler that fetches through the cache.
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>

#include "lib/http_semantics/range.h"
#include "lib/http_semantics/vary.h"
#include "services/replica/session/handler.h"

namespace perigee::replica {

bool Handler::MayShare() const {
  // Such a request wants an answer that was asked for after it came.
  return !at_.control.no_cache && !(at_.control.max_age && at_.control.max_age->count() == 0);
}

bool Handler::MayFollow(const Flight& flight) const {
  const FlightHead* head = flight.known_head();
  if (head == nullptr) return true;
  const http::Freshness& freshness = head->refreshed ? head->refreshed->freshness : head->freshness;
  return http::DecideReuse(freshness, at_.control, context_.clock.WallNow()).serve();
}

FlightTable::Seat Handler::TakeSeat() {
  FlightTable::Seat seat = context_.flights.Join(at_.key);
  if (!seat.joined || MayFollow(*seat.joined)) return seat;
  context_.flights.Retire(at_.key, seat.joined);
  return context_.flights.Join(at_.key);
}

Task<bool> Handler::Miss() {
  if (at_.control.only_if_cached) {
    http::CacheStatus status = MissStatus();
    status.detail = "only-if-cached";
    co_return co_await OwnAnswer(504, "not in the cache, and the request says only-if-cached", status);
  }
  context_.counters.misses.Add();
  if (at_.is_head || at_.control.no_store) co_return co_await Direct();
  if (!MayShare() || request().headers.Has("Range")) co_return co_await LeadAlone();

  FlightTable::Seat seat = TakeSeat();
  if (seat.joined) co_return co_await Follow(std::move(seat.joined));
  // The flight that this request would have joined may have landed a moment ago.
  if (LookUp()) {
    seat.lease->flight()->Publish(HeadOf(at_.found.response));
    seat.lease.reset();
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
  if (head.stands_in && !StoredStandsIn()) co_return co_await LeadAlone();
  if (head.stands_in) {
    flight.reset();
    co_return co_await OriginFailed(FetchError::kErrorStatus, true);
  }
  if (head.refreshed) {
    auto refreshed = head.refreshed;
    flight.reset();
    co_return co_await Stored(std::move(refreshed), status);
  }
  std::optional<Flight::Reader> reader(std::in_place, flight);
  if (flight->windowed()) {
    reader.reset();
    co_return co_await LeadAlone();
  }
  const auto age = http::CurrentAge(head.freshness, context_.clock.WallNow());
  co_return co_await StreamFlight(*reader, head.head, age, head.content_length, status);
}

Task<bool> Handler::LeadAlone() { return Lead(context_.flights.Solo(at_.key)); }

Task<Outcome> Handler::Ask(FlightTable::Lease& lease) {
  const auto& found = at_.found.response;
  const Errand errand{.key = at_.key,
                      .request = request(),
                      .path = at_.plan.path,
                      .client = client_.client(),
                      .stored = found,
                      .stands_in = StoredStandsIn(),
                      .in_part = request().headers.Has("Range"),
                      .parts = found && found->parts ? found : at_.parts};
  const InterimSink interim = ForwardInterim();
  co_return co_await AskOrigin(context_, recorder_, errand, lease, &interim);
}

Task<bool> Handler::Lead(FlightTable::Lease lease) {
  Outcome outcome = co_await Ask(lease);
  if (!outcome.connection) lease.End();
  if (outcome.error != FetchError::kNone) co_return co_await OriginFailed(outcome.error, false);
  http::CacheStatus status = MissStatus();
  if (outcome.validated) {
    status.forward_status = 304;
    co_return co_await Stored(std::move(outcome.validated), status);
  }
  status.forward_status = outcome.connection->head().status;
  if (request().headers.Has("Range")) FetchWholeBehind(outcome.connection->head());
  at_.LetGo();
  if (!outcome.storing) {
    status.detail = outcome.why_not;
    co_return co_await RelayAndRelease(std::move(outcome.connection), status);
  }
  status.stored = true;
  co_return co_await Shared(std::move(lease), std::move(outcome), status);
}

void Handler::FetchWholeBehind(const http::ResponseHead& partial) {
  const auto range = http::ContentRangeOf(partial);
  if (at_.found.response || !range || range->complete > context_.limits.max_object_bytes) return;
  const auto verdict = http::JudgePart(request().headers, partial, context_.policy);
  if (verdict == http::Storability::kStore) FetchBehind(context_, BehindThis());
}

Task<bool> Handler::Shared(FlightTable::Lease lease, Outcome outcome, http::CacheStatus status) {
  const http::ResponseHead head = outcome.connection->head();
  const std::optional<uint64_t> length = BodyLength(*outcome.connection);
  Flight::Reader reader(lease.flight());
  Task<> fill = Fill(context_, std::move(outcome.connection), std::move(lease), *std::move(outcome.storing));
  asio::co_spawn(context_.executor, std::move(fill), asio::detached);
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
  if (ClientHasIt(head, context_.clock.WallNow())) {
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
  // What is there already of the body goes with the head.
  Chunk first = reader.TakeReady();
  const std::string_view there = first ? *first : std::string_view();
  const bool began = co_await WriteBodyPiece(framing, there, out_);
  first.reset();  // a slow reader of much holds one piece at a time
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
