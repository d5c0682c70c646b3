#include "services/replica/session/handler.h"

#include <fmt/format.h>

#include <random>

#include "lib/http_semantics/http_date.h"
#include "lib/http_semantics/validation.h"
#include "lib/log/log.h"

namespace perigee::replica {
namespace {

// A smaller body is copied behind its head, which costs less than gathering the two.
constexpr size_t kMaxCopiedBody = 4096;

// Nobody can have put this one into a body, so bodies are not searched for it.
std::string RandomBoundary() {
  std::random_device random;
  return fmt::format("perigee-{:08x}{:08x}{:08x}{:08x}", random(), random(), random(), random());
}

}  // namespace

// A beacon is served though its name is none of those served, but only to who reads.
void Handler::MakePlan() {
  const ServedNames& served = *context_.served_names.Current();
  at_.plan = PlanRequest(request());
  at_.beacon = served.BeaconOf(request());
  const bool is_served = at_.beacon ? at_.plan.kind == PlanKind::kCache : served.Serve(request());
  if (!is_served) at_.plan = {.status = 421, .why = "not served here"};
}

// Nothing of it goes to the origin.
Task<bool> Handler::AnswerBeacon() {
  context_.beacons.Add({client_.client(), *std::move(at_.beacon)});
  http::ResponseHead head{.status = 204, .reason = std::string(ReasonPhrase(204))};
  head.headers.Add("Date", http::FormatHttpDate(context_.clock.WallNow()));
  head.headers.Add("Cache-Control", "no-store");
  const http::CacheStatus status{.forward = http::Forward::kBypass, .detail = "beacon"};
  const AnswerForm form = Form();
  out_.clear();
  AppendHead(head, std::nullopt, Framing::kNone, status, form, &out_);
  Log(204, status);
  const bool written = co_await client_.Write(Gather(out_));
  if (!written) co_return false;
  co_return form.keep_alive;
}

Task<bool> Handler::Handle() {
  context_.counters.requests.Add();
  recorder_.Begin(client_.sent());
  MakePlan();
  at_.is_head = request().method == "HEAD";
  at_.lost = false;
  const Plan& plan = at_.plan;
  if (plan.kind == PlanKind::kReject) {
    const http::CacheStatus status{.forward = http::Forward::kBypass, .detail = kRejectedDetail};
    co_return co_await OwnAnswer(plan.status, plan.why, status);
  }
  if (at_.beacon) co_return co_await AnswerBeacon();
  if (plan.kind == PlanKind::kLastHop) {
    const http::CacheStatus status{.forward = http::Forward::kBypass, .detail = "max-forwards"};
    co_return co_await OwnAnswer(200, "as far as Max-Forwards lets it go", status);
  }
  if (plan.kind == PlanKind::kPassThrough) co_return co_await PassThrough();
  if (plan.kind == PlanKind::kTunnel) co_return co_await Tunnel();
  if (!LookUp()) co_return co_await Miss();

  context_.counters.hits.Add();
  if (at_.decision.reason == http::ReuseReason::kStaleWhileRevalidate) {
    FetchBehind(context_, BehindThis());
  }
  const http::CacheStatus status{.ttl = at_.decision.ttl, .detail = Name(at_.found.lookup)};
  if (InPieces(*at_.found.response)) co_return co_await StoredInPieces(status);
  Gather bytes = GatherStored(*at_.found.response, status);
  const bool keep = Form().keep_alive;
  bool failed = false;
  if (client_.WriteNow(&bytes, &failed)) co_return keep;
  if (failed) co_return false;
  const bool written = co_await WriteStored(bytes);
  if (!written) co_return false;
  co_return keep;
}

Task<> Handler::Reject(Rejection rejection) {
  context_.counters.requests.Add();
  recorder_.Begin(client_.sent());
  at_.is_head = false;
  out_.clear();
  const http::CacheStatus status{.forward = http::Forward::kBypass, .detail = kRejectedDetail};
  AppendOwnAnswer(rejection.status, rejection.why, false, status, {.keep_alive = false},
                  context_.clock.WallNow(), &out_);
  LogDebug(LogModule::kReplicaSession, {{"status", rejection.status}}, "{} refused: {} {}",
           client_.client().ToString(), rejection.status, rejection.why);
  recorder_.Answer(rejection.status, status, out_, client_.sent());
  co_await client_.Write(Gather(out_));
  Finish();
}

void Handler::Finish() {
  recorder_.End(request(), client_.sent());
  at_.LetGo();
}

AnswerForm Handler::Form() const {
  return {.client_minor_version = request().minor_version,
          .keep_alive = request().keep_alive && client_.body_done() && !context_.draining};
}

bool Handler::LookUp() {
  at_.key.assign(context_.origin.base).append(at_.plan.path);
  at_.control = http::ParseRequestCacheControl(request().headers);
  at_.found = context_.cache.Find(at_.key, request().headers);
  at_.parts = nullptr;
  if (!at_.found.response) return false;
  if (at_.found.response->parts && !Suffices(*at_.found.response)) {
    at_.parts = std::exchange(at_.found.response, nullptr);
    return false;
  }
  at_.decision = DecideReuse(*at_.found.response, at_.control, context_.clock.WallNow());
  return at_.decision.serve();
}

http::CacheStatus Handler::MissStatus() const {
  using http::ReuseReason;
  if (at_.plan.kind != PlanKind::kCache) return {.forward = at_.plan.forward};
  if (at_.parts) return {.forward = http::Forward::kPartial};
  if (!at_.found.response) {
    const bool vary = at_.found.lookup == Lookup::kVaryMiss;
    return {.forward = vary ? http::Forward::kVaryMiss : http::Forward::kUriMiss};
  }
  const ReuseReason reason = at_.decision.reason;
  const bool by_request = reason == ReuseReason::kRequestNoCache || reason == ReuseReason::kRequestMaxAge ||
                          reason == ReuseReason::kRequestMinFresh;
  return {.forward = by_request ? http::Forward::kRequest : http::Forward::kStale};
}

bool Handler::ClientHasIt(const http::ResponseHead& head, WallTime now) const {
  return http::EvaluateCondition(request().method, request().headers, head, now) ==
         http::ConditionResult::kNotModified;
}

void Handler::AppendNotModified(const http::ResponseHead& head, std::optional<std::chrono::seconds> age,
                                const http::CacheStatus& status) {
  http::ResponseHead answer{.status = 304, .reason = std::string(ReasonPhrase(304))};
  answer.headers = http::NotModifiedHeaders(head.headers);
  AppendHead(answer, age, Framing::kNone, status, Form(), &out_);
  Log(304, status);
}

Gather Handler::Bytes(std::string_view head, const Body& body, uint64_t begin, uint64_t end) {
  return Gather(head, body->substr(begin, end - begin)).FromFile(body.file(), body.file_start());
}

Gather Handler::GatherStored(const StoredResponse& response, const http::CacheStatus& status) {
  const WallTime now = context_.clock.WallNow();
  const auto age = http::CurrentAge(response.freshness, now);
  out_.clear();
  if (ClientHasIt(response.head, now)) {
    AppendNotModified(response.head, age, status);
    return Gather(out_);
  }
  if (request().headers.Has("Range")) {
    return GatherRanges(AnswerRange(response), response.body, age, status);
  }
  AppendHead(response.head, age, Framing::kContentLength, status, Form(), &out_);
  Log(response.head.status, status);
  if (at_.is_head) return Gather(out_);
  const Body& body = response.body;
  if (body->size() > kMaxCopiedBody) return Bytes(out_, body, 0, body->size());
  out_ += *body;
  return Gather(out_);
}

BackgroundRequest Handler::BehindThis() const {
  return {.key = at_.key,
          .request = request(),
          .path = std::string(at_.plan.path),
          .client = client_.client(),
          .stored = at_.found.response};
}

http::RangeAnswer Handler::AnswerRange(const StoredResponse& response) const {
  const WallTime now = context_.clock.WallNow();
  http::RangePlan plan =
      http::PlanRange(request().method, request().headers, response.head, response.body_bytes, now);
  const std::string boundary = plan.ranges.size() > 1 ? RandomBoundary() : "";
  return http::AnswerRanges(response.head, response.body_bytes, std::move(plan), boundary, now);
}

Gather Handler::GatherRanges(const http::RangeAnswer& answer, const Body& stored_body,
                             std::chrono::seconds age, const http::CacheStatus& status) {
  AppendHead(answer.head, age, Framing::kContentLength, status, Form(), &out_);
  Log(answer.head.status, status);
  if (at_.is_head || answer.ranges.empty()) return Gather(out_);
  const http::ByteRange range = answer.ranges.front();
  return Bytes(out_, stored_body, range.first, range.last + 1);
}

bool Handler::StoredStandsIn() const {
  return at_.found.response && http::MayServeOnError(at_.found.response->freshness, at_.control, at_.decision,
                                                     http::OriginTrouble::kErrorStatus, context_.policy);
}

Task<bool> Handler::Stored(std::shared_ptr<const StoredResponse> response, http::CacheStatus status) {
  at_.found.response = std::move(response);
  if (InPieces(*at_.found.response)) co_return co_await StoredInPieces(status);
  const Gather bytes = GatherStored(*at_.found.response, status);
  const bool keep = Form().keep_alive;
  const bool written = co_await WriteStored(bytes);
  if (!written) co_return false;
  co_return keep;
}

Task<bool> Handler::WriteStored(Gather bytes) {
  bool failed = false;
  if (client_.WriteNow(&bytes, &failed)) co_return true;
  if (failed) co_return false;
  const std::string_view rest = bytes.piece(1);
  if (rest.empty()) co_return co_await client_.Write(bytes);
  {
    const FlightMemory::Hold hold(context_.flights.memory(), at_.found.response->body->size());
    if (hold) co_return co_await client_.Write(bytes);
  }
  const ObjectId id = at_.found.response->object_id;
  const uint64_t begin = static_cast<uint64_t>(rest.data() - at_.found.response->body->data());
  at_.LetGo();
  const bool began = co_await client_.Write(Gather(bytes.piece(0)));
  if (!began) co_return false;
  co_return co_await WriteById(id, begin, begin + rest.size());
}

Task<bool> Handler::OwnAnswer(int status, std::string_view why, http::CacheStatus cache_status) {
  out_.clear();
  AnswerForm form = Form();
  form.keep_alive = form.keep_alive && status != 400;  // who sends one malformed request may send more
  AppendOwnAnswer(status, why, at_.is_head, cache_status, form, context_.clock.WallNow(), &out_);
  Log(status, cache_status);
  const bool written = co_await client_.Write(Gather(out_));
  if (!written) co_return false;
  co_return form.keep_alive;
}

Task<bool> Handler::OriginFailed(FetchError error, bool collapsed) {
  http::CacheStatus status = MissStatus();
  status.collapsed = collapsed;
  status.detail = Name(error);
  const bool has_stored = at_.found.response != nullptr;
  // An error status has been judged by StoredStandsIn.
  if (has_stored && (error == FetchError::kErrorStatus ||
                     http::MayServeOnError(at_.found.response->freshness, at_.control, at_.decision,
                                           http::OriginTrouble::kUnreachable, context_.policy))) {
    context_.counters.stale.Add();
    status.ttl = at_.decision.ttl;
    co_return co_await Stored(at_.found.response, status);
  }
  context_.counters.origin_errors.Add();
  // RFC 9111 §5.2.2.2: what must be validated and can't be is a 504, whatever the reason.
  const int code = has_stored && at_.decision.reuse == http::Reuse::kMustRevalidate ? 504 : StatusFor(error);
  const std::string why = fmt::format("the origin could not be asked ({})", Name(error));
  co_return co_await OwnAnswer(code, why, status);
}

Task<bool> Handler::WriteBodyPiece(Framing framing, std::string_view piece, std::string_view head) {
  // An empty chunk would be the last.
  if (framing != Framing::kChunked || piece.empty()) co_return co_await client_.Write(Gather(head, piece));
  const std::string header = std::string(head) + ChunkHeader(piece.size());
  co_return co_await client_.Write(Gather(header, piece, "\r\n"));
}

Task<bool> Handler::EndBody(Framing framing) {
  if (framing != Framing::kChunked) co_return true;
  co_return co_await client_.Write(Gather(kLastChunk));
}

void Handler::Log(int status, const http::CacheStatus& cache_status) {
  recorder_.Answer(status, cache_status, out_, client_.sent());
  if (!LogEnabled(LogModule::kReplicaSession, LogLevel::kDebug)) return;
  LogDebug(LogModule::kReplicaSession, {{"target", request().target}, {"status", status}}, "{} {} {} {} {}",
           client_.client().ToString(), request().method, request().target, status,
           http::FormatCacheStatus(cache_status));
}

}  // namespace perigee::replica
