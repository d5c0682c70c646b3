#include "services/replica/session/storing.h"

#include <fmt/format.h>

#include "lib/http_semantics/validation.h"
#include "lib/log/log.h"

namespace perigee::replica {
namespace {

void SetLength(uint64_t body_bytes, http::ResponseHead* head) {
  if (head->status != 204) head->headers.Set("Content-Length", fmt::format("{}", body_bytes));
}

void LogInsert(const std::string& key, InsertResult result) {
  if (result == InsertResult::kStored) return;
  LogDebug(LogModule::kReplicaCache, {{"key", key}, {"reason", Name(result)}}, "{} not stored: {}", key,
           Name(result));
}

void Store(Cache& cache, Storing storing, Chunk body) {
  SetLength(body->size(), &storing.head);
  StoredResponse stored{.head = std::move(storing.head), .body = Body(std::move(body))};
  LogInsert(storing.key, cache.Insert(storing.key, storing.request, std::move(stored), storing.asked_at));
}

// Writes a flight's body to SQLite when it is large.
class Spill {
 public:
  Spill(Cache& cache, const std::shared_ptr<Flight>& flight) : cache_(cache), flight_(flight) {}

  // `expected`: the body's size if that is known.
  void Append(const Chunk& piece, std::optional<uint64_t> expected) {
    if (!writer_ && !tried_) Begin(std::max(expected.value_or(0), flight_->size() + piece->size()));
    if (writer_ && (flight_->windowed() || !writer_->Append(*piece))) Stop();
  }
  bool active() const { return writer_ != nullptr; }

  Task<> Store(Executor executor, Storing storing) {
    if (!writer_->End()) Stop();
    const bool written = co_await flight_->AwaitWritten(executor);
    if (!written || !flight_->storable()) co_return;
    SetLength(flight_->size(), &storing.head);
    LogInsert(storing.key,
              writer_->Finish(storing.key, storing.request, std::move(storing.head), storing.asked_at));
  }

 private:
  void Begin(uint64_t expected) {
    if (!cache_.IsLarge(expected)) return;
    tried_ = true;
    writer_ = cache_.BeginBody(expected, [flight = flight_.get()](uint64_t written, bool failed) {
      failed ? flight->StopSpilling() : flight->Written(written);
    });
    if (!writer_) {
      if (!cache_.FitsInMemoryAlone(expected)) flight_->StopSpilling();
      return;
    }
    for (const Chunk& piece : flight_->Spill(writer_->body())) {
      if (!writer_->Append(*piece)) return Stop();
    }
  }
  void Stop() {
    flight_->StopSpilling();
    writer_ = nullptr;
  }

  Cache& cache_;
  const std::shared_ptr<Flight> flight_;
  bool tried_ = false;
  std::unique_ptr<BodyWriter> writer_;
};

// For one client; what is stored stays as it is.
std::shared_ptr<const StoredResponse> WithHead(const StoredResponse& stored, http::ResponseHead head,
                                               const http::CachePolicy& policy) {
  auto response = std::make_shared<StoredResponse>(stored);
  response->head = std::move(head);
  response->freshness = http::FreshnessOf(response->head, policy);
  return response;
}

}  // namespace

http::HeaderList SelectingFields(const http::HeaderList& request) {
  http::HeaderList fields = request;
  fields.RemoveHopByHop();
  return fields;
}

std::optional<uint64_t> BodyLength(const OriginConnection& connection) {
  if (connection.framing() == Framing::kContentLength) return connection.content_length();
  if (connection.framing() == Framing::kNone) return 0;
  return std::nullopt;
}

Task<> Fill(Context& context, std::unique_ptr<OriginConnection> connection, FlightTable::Lease lease,
            Storing storing) {
  Flight& flight = *lease.flight();
  Spill spill(context.cache, lease.flight());
  const std::optional<uint64_t> length = BodyLength(*connection);
  while (!connection->body_done()) {
    std::string piece;
    const FetchError error = co_await connection->ReadBody(&piece);
    if (error != FetchError::kNone) {
      LogWarning(LogModule::kReplicaFetch, {{"key", storing.key}, {"error", Name(error)}},
                 "{}: the origin's answer ended early: {}", storing.key, Name(error));
      context.counters.CountOriginFailure(error);
      flight.Fail(error);
      co_return;
    }
    if (piece.empty()) break;
    const auto chunk = std::make_shared<const std::string>(std::move(piece));
    spill.Append(chunk, length);
    const bool wanted = co_await flight.Append(context.executor, chunk);
    if (!wanted) co_return;
    if (flight.windowed()) lease.Close();
  }
  context.pool.Release(std::move(connection));
  // Stored before its readers learn that it is complete: who asks again finds it.
  if (spill.active()) {
    co_await spill.Store(context.executor, std::move(storing));
  } else if (Chunk body = flight.WholeBody()) {
    Store(context.cache, std::move(storing), std::move(body));
  }
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
  const auto& object = stored->parts ? stored->parts->newest : stored;
  http::ResponseHead merged = http::MergeNotModified(object->head, allowed);
  const http::HeaderList seen = SelectingFields(request);
  const auto verdict = stored->parts ? http::JudgePart(seen, merged, context.policy)
                                     : http::JudgeStorability("GET", seen, merged, context.policy);
  const bool shareable = verdict == http::Storability::kStore;
  auto response = shareable ? context.cache.Refresh(key, seen, object, std::move(merged), asked_at)
                            : WithHead(*object, std::move(merged), context.policy);
  if (stored->parts) response = WholeInParts(std::move(response), stored->parts->parts);
  if (!shareable && !http::IsRequestsDoing(verdict)) context.cache.EraseSelected(key, request);
  return {.response = std::move(response), .shareable = shareable};
}

}  // namespace perigee::replica
