// The part of Handler that passes requests and responses through, one client to one origin connection.

#include <boost/asio/experimental/awaitable_operators.hpp>

#include "lib/http_semantics/invalidation.h"
#include "lib/http_semantics/surrogate_tags.h"
#include "lib/http_semantics/validation.h"
#include "lib/log/log.h"
#include "services/replica/fetch/origin_request.h"
#include "services/replica/served_names.h"
#include "services/replica/session/handler.h"
#include "services/replica/session/storing.h"

namespace perigee::replica {
namespace {

constexpr std::string_view kContinue = "HTTP/1.1 100 Continue\r\n\r\n";

bool AwaitsContinue(const RequestHead& request) {
  return request.minor_version >= 1 && request.headers.ListHas("Expect", "100-continue");
}

}  // namespace

Task<bool> Handler::Direct() {
  const uint64_t asked_at = context_.cache.PurgeGeneration();
  const http::HeaderList fields = OriginFields(request(), context_.origin, client_.client());
  const std::string text = OriginRequestText(request(), at_.plan.path, fields, false);
  const InterimSink interim = ForwardInterim();
  const Asks asks = at_.is_head ? Asks::kHeadOnly : Asks::kContent;
  recorder_.AskOrigin();
  Fetched fetched = co_await context_.pool.Fetch(client_.client(), text, asks, &interim);
  if (fetched.IsUnaskedBy(fields)) fetched = {.error = FetchError::kMalformed};
  recorder_.OriginSaid(fetched.error);
  if (fetched.error != FetchError::kNone) co_return co_await OriginFailed(fetched.error, false);
  OriginConnection& connection = *fetched.connection;
  PrepareResponse(&connection.head(), connection.minor_version());
  if (http::IsServerTrouble(connection.head().status) && StoredStandsIn()) {
    context_.pool.Release(std::move(fetched.connection));
    co_return co_await OriginFailed(FetchError::kErrorStatus, false);
  }
  UpdateFromHead(connection.head(), asked_at);
  http::CacheStatus status = MissStatus();
  status.forward_status = connection.head().status;
  at_.LetGo();
  co_return co_await RelayAndRelease(std::move(fetched.connection), status);
}

void Handler::UpdateFromHead(const http::ResponseHead& head, uint64_t asked_at) {
  const auto& stored = at_.found.response;
  if (!at_.is_head || !stored || head.status != stored->head.status) return;
  const http::HeaderList sent = SelectingFields(request().headers);
  if (http::IsRequestsDoing(http::JudgeStorability("GET", sent, head, context_.policy))) return;
  if (http::HeadAppliesTo(stored->head.headers, head.headers)) {
    Freshen(context_, at_.key, request().headers, stored, head, asked_at);
  } else {
    context_.cache.EraseSelected(at_.key, request().headers);
  }
}

Task<bool> Handler::RelayAndRelease(std::unique_ptr<OriginConnection> connection, http::CacheStatus status) {
  const bool keep = co_await Relay(*connection, status);
  context_.pool.Release(std::move(connection));
  co_return keep;
}

Task<bool> Handler::Relay(OriginConnection& connection, http::CacheStatus status) {
  AnswerForm form = Form();
  const http::ResponseHead& head = connection.head();
  out_.clear();
  if (ClientHasIt(head, context_.clock.WallNow())) {
    AppendNotModified(head, std::nullopt, status);
    const bool written = co_await client_.Write(Gather(out_));
    if (!written) co_return false;
    co_return form.keep_alive;
  }
  const Framing framing = ClientFraming(connection.framing(), form.client_minor_version);
  form.keep_alive = form.keep_alive && framing != Framing::kUntilClose;
  AppendHead(head, std::nullopt, framing, status, form, &out_);
  Log(head.status, status);
  const bool began = co_await client_.Write(Gather(out_));
  if (!began) co_return false;
  while (!connection.body_done()) {
    std::string piece;
    const FetchError error = co_await connection.ReadBody(&piece);
    if (error != FetchError::kNone) {
      LogWarning(LogModule::kReplicaFetch, {{"target", request().target}, {"error", Name(error)}},
                 "{}: the origin's answer ended early: {}", request().target, Name(error));
      context_.counters.CountOriginFailure(error);
      client_.Abort();
      co_return false;
    }
    if (piece.empty()) break;
    const bool written = co_await WriteBodyPiece(framing, piece);
    if (!written) co_return false;
  }
  const bool ended = co_await EndBody(framing);
  if (!ended) co_return false;
  co_return form.keep_alive;
}

void Handler::Invalidate(std::string_view path) {
  at_.key.assign(context_.origin.base).append(path);
  context_.flights.Invalidate(at_.key);
  context_.cache.Erase(at_.key);
}

void Handler::InvalidateAfter(const http::ResponseHead& response) {
  if (IsSafe(request().method) || response.status < 200 || response.status >= 400) return;
  Invalidate(at_.plan.path);
  const std::string_view host = AuthorityOf(request());
  for (const std::string& path :
       http::InvalidatedPaths(at_.plan.path, response.headers, {host, context_.origin.authority})) {
    Invalidate(path);
  }
}

InterimSink Handler::ForwardInterim() {
  return [this](http::ResponseHead head) { return WriteInterim(std::move(head)); };
}

Task<> Handler::WriteInterim(http::ResponseHead head) {
  // HTTP/1.0 knows none (RFC 9110 §15.2), and 100 is between this server and its client.
  if (request().minor_version == 0 || head.status == 100) co_return;
  head.headers.RemoveHopByHop();
  head.headers.Remove("Content-Length");  // RFC 9110 §8.6
  http::TakeSurrogateTags(&head.headers);
  std::string text;
  AppendStatusLine(head.status, head.reason, &text);
  text.append(head.headers.text()).append("\r\n");
  co_await client_.Write(Gather(text));
}

Task<bool> Handler::PassThrough() {
  using asio::experimental::awaitable_operators::operator&&;
  if (IsSafe(request().method) && !request().has_body()) co_return co_await Direct();

  const http::HeaderList fields = OriginFields(request(), context_.origin, client_.client());
  const std::string text = OriginRequestText(request(), at_.plan.path, fields, true);
  const Asks asks = at_.is_head ? Asks::kHeadOnly : Asks::kContent;
  recorder_.AskOrigin();
  Fetched fetched = co_await context_.pool.Open(client_.client(), text, asks);
  if (fetched.error != FetchError::kNone) {
    recorder_.OriginSaid(fetched.error);
    co_return co_await OriginFailed(fetched.error, false);
  }
  OriginConnection& connection = *fetched.connection;
  if (AwaitsContinue(request()) && !client_.body_done() && !client_.has_input()) {
    const bool written = co_await client_.Write(Gather(kContinue));
    if (!written) co_return false;
  }

  Passage passage;
  Task<> both_ways = Upload(connection, &passage) && Download(connection, &passage);
  co_await std::move(both_ways);
  context_.pool.Release(std::move(fetched.connection));
  if (passage.client_failed && !passage.answered && client_.rejection().status != 0) {
    const Rejection rejection = client_.rejection();
    http::CacheStatus status = MissStatus();
    status.detail = kRejectedDetail;
    co_await OwnAnswer(rejection.status, rejection.why, status);
    co_return false;
  }
  co_return passage.keep;
}

Task<> Handler::Upload(OriginConnection& connection, Passage* passage) {
  const bool chunked = request().chunked;
  while (!client_.body_done()) {
    std::string piece;
    const ClientStream::Read read = co_await client_.ReadBody(&piece);
    if (read != ClientStream::Read::kDone) {
      passage->client_failed = !passage->answered;
      connection.Close();
      co_return;
    }
    if (piece.empty()) break;
    const std::string header = chunked ? ChunkHeader(piece.size()) : "";
    const std::string_view end = chunked ? "\r\n" : "";
    const FetchError error = co_await connection.Write(Gather(header, piece, end));
    if (error != FetchError::kNone) break;  // there may be an early answer all the same
  }
  passage->uploaded = client_.body_done();
  if (chunked && passage->uploaded) co_await connection.Write(Gather(kLastChunk));
  connection.AwaitResponse();
}

Task<> Handler::Download(OriginConnection& connection, Passage* passage) {
  const InterimSink interim = ForwardInterim();
  FetchError error = co_await connection.ReadHead(&interim);
  const bool unasked =
      error == FetchError::kNone && http::IsUnasked(connection.head().status, request().headers);
  if (unasked) error = FetchError::kMalformed;
  recorder_.OriginSaid(error);
  if (passage->client_failed) co_return;
  passage->answered = true;
  if (error != FetchError::kNone) {
    passage->keep = co_await OriginFailed(error, false);
  } else {
    PrepareResponse(&connection.head(), connection.minor_version());
    InvalidateAfter(connection.head());
    http::CacheStatus status = MissStatus();
    status.forward_status = connection.head().status;
    passage->keep = co_await Relay(connection, status);
  }
  if (passage->uploaded) co_return;
  // Answered before the request was whole: nobody needs the rest of it.
  passage->keep = false;
  connection.Close();
  client_.CancelRead();
}

}  // namespace perigee::replica
