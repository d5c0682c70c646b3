#include "services/replica/control/replica_service.h"

namespace perigee::replica {

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
  return out;
}

grpc::ServerUnaryReactor* ReplicaService::Stats(grpc::CallbackServerContext* context, const v1::StatsRequest*,
                                                v1::StatsResponse* response) {
  const auto uptime = std::chrono::duration_cast<std::chrono::seconds>(clock_.Now() - started_);
  *response = ToProto(server_.Stats(), cache_.Stats(), uptime);
  grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
  reactor->Finish(grpc::Status::OK);
  return reactor;
}

grpc::ServerWriteReactor<v1::WatchReport>* ReplicaService::Watch(grpc::CallbackServerContext*,
                                                                 const v1::WatchRequest* request) {
  return watchers_.Add(*request);
}

}  // namespace perigee::replica
