#include "services/replica/control/replica_service.h"

#include <utility>

#include "fmt/format.h"
#include "lib/log/log.h"
#include "lib/program/program.h"
#include "lib/rpc/control.h"
#include "services/replica/control/url_request.h"

namespace perigee::replica {
namespace {

grpc::ServerUnaryReactor* Answer(grpc::CallbackServerContext* context, const grpc::Status& status) {
  grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
  reactor->Finish(status);
  return reactor;
}

}  // namespace

v1::StatsResponse ToProto(const ServerStats& server, const CacheStats& cache, std::chrono::seconds uptime) {
  v1::StatsResponse out;
  out.set_uptime_seconds(static_cast<uint64_t>(uptime.count()));
  out.set_connections(server.connections);
  out.set_requests(server.requests);
  out.set_hits(server.hits);
  out.set_misses(server.misses);
  out.set_revalidated(server.revalidated);
  out.set_stale(server.stale);
  out.set_origin_errors(server.origin_errors);
  out.set_collapsed(server.collapsed);
  out.set_cache_objects(cache.objects);
  out.set_cache_bytes(cache.bytes);
  out.set_cache_budget_bytes(cache.budget_bytes);
  out.set_memory_bytes(cache.memory_bytes);
  out.set_memory_budget_bytes(cache.memory_budget_bytes);
  out.set_evictions(cache.evictions);
  out.set_purges(cache.purges);
  out.set_purged_objects(cache.purged_objects);
  out.set_disk_ok(cache.disk_ok);
  out.set_disk_errors(cache.disk_errors);
  return out;
}

grpc::ServerUnaryReactor* ReplicaService::Stats(grpc::CallbackServerContext* context, const v1::StatsRequest*,
                                                v1::StatsResponse* response) {
  const auto uptime = std::chrono::duration_cast<std::chrono::seconds>(clock_.Now() - started_);
  *response = ToProto(server_.Stats(), cache_.Stats(), uptime);
  response->set_version(std::string(Version()));
  response->set_drained(drained());
  return Answer(context, grpc::Status::OK);
}

grpc::ServerWriteReactor<v1::WatchReport>* ReplicaService::Watch(grpc::CallbackServerContext*,
                                                                 const v1::WatchRequest* request) {
  return watchers_.Add(*request);
}

grpc::ServerUnaryReactor* ReplicaService::Purge(grpc::CallbackServerContext* context,
                                                const v1::PurgeRequest* request,
                                                v1::PurgeResponse* response) {
  auto selection = SelectionFrom(*request, server_.origin().base);
  if (!selection.ok()) return Answer(context, ToGrpcStatus(selection.status()));
  grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
  const PurgeKind kind = request->soft() ? PurgeKind::kSoft : PurgeKind::kHard;
  const auto done = [reactor, response, kind, what = Summary(*request),
                     caller = context->peer()](const PurgeQueue::Result& purged) {
    if (purged.ok()) {
      response->set_objects(*purged);
      LogInfo(LogModule::kReplicaControl, {{"objects", *purged}}, "purged {} object(s), {}, for {}: {}",
              *purged, kind == PurgeKind::kSoft ? "softly" : "for good", caller, what);
    } else {
      LogWarning(LogModule::kReplicaControl, {}, "the purge for {} of {} did not succeed: {}", caller, what,
                 std::string(purged.status().message()));
    }
    reactor->Finish(ToGrpcStatus(purged.status()));
  };
  if (!purges_.Add(*std::move(selection), kind, done)) {
    reactor->Finish({grpc::StatusCode::RESOURCE_EXHAUSTED,
                     fmt::format("{} purges wait already: try again", kMaxWaitingPurges)});
  }
  return reactor;
}

grpc::ServerWriteReactor<v1::WarmResult>* ReplicaService::Warm(grpc::CallbackServerContext*,
                                                               const v1::WarmRequest* request) {
  return warm_calls_.Add(*request);
}

bool ReplicaService::drained() const {
  const std::lock_guard lock(drain_mutex_);
  return drained_;
}

void ReplicaService::TellHealth(std::function<void(bool serving)> tell) {
  const std::lock_guard lock(drain_mutex_);
  tell_health_ = std::move(tell);
  if (tell_health_) tell_health_(!drained_);
}

grpc::ServerUnaryReactor* ReplicaService::Drain(grpc::CallbackServerContext* context,
                                                const v1::DrainRequest* request,
                                                v1::DrainResponse* response) {
  const std::lock_guard lock(drain_mutex_);
  response->set_was_drained(std::exchange(drained_, !request->resume()));
  response->set_connections(server_.Stats().connections);
  server_.SendAway(drained_);
  if (tell_health_) tell_health_(!drained_);
  if (drained_ != response->was_drained())
    LogInfo(LogModule::kReplicaControl, {}, "{}", drained_ ? "drained" : "clients may come again");
  return Answer(context, grpc::Status::OK);
}

void ReplicaService::EndStreams() {
  watchers_.End();
  warm_calls_.End();
}

}  // namespace perigee::replica
