// The Replica service of the control port (proto/perigee/v1/replica.proto).
#pragma once

#include <functional>
#include <mutex>

#include "lib/base/clock.h"
#include "perigee/v1/replica.grpc.pb.h"
#include "services/replica/cache/cache.h"
#include "services/replica/control/load_watchers.h"
#include "services/replica/control/purge_queue.h"
#include "services/replica/control/warm_calls.h"
#include "services/replica/server.h"

namespace perigee::replica {

v1::StatsResponse ToProto(const ServerStats& server, const CacheStats& cache, std::chrono::seconds uptime);

class ReplicaService final : public v1::Replica::CallbackService {
 public:
  // All must outlive the service.
  ReplicaService(Server& server, const Cache& cache, const Clock& clock)
      : server_(server),
        cache_(cache),
        clock_(clock),
        started_(clock.Now()),
        watchers_([&server] { return server.Stats(); }, clock, server.client_rtts(), server.beacons()),
        warm_calls_(server, clock),
        purges_([&server](const PurgeSelection& what, PurgeKind kind) { return server.Purge(what, kind); }) {}

  // Where Drain shows: called at once and at each change with whether new clients are welcome. Null ends it.
  void TellHealth(std::function<void(bool serving)> tell);

  grpc::ServerUnaryReactor* Stats(grpc::CallbackServerContext* context, const v1::StatsRequest* request,
                                  v1::StatsResponse* response) override;
  grpc::ServerWriteReactor<v1::WatchReport>* Watch(grpc::CallbackServerContext* context,
                                                   const v1::WatchRequest* request) override;
  grpc::ServerUnaryReactor* Purge(grpc::CallbackServerContext* context, const v1::PurgeRequest* request,
                                  v1::PurgeResponse* response) override;
  grpc::ServerWriteReactor<v1::WarmResult>* Warm(grpc::CallbackServerContext* context,
                                                 const v1::WarmRequest* request) override;
  grpc::ServerUnaryReactor* Drain(grpc::CallbackServerContext* context, const v1::DrainRequest* request,
                                  v1::DrainResponse* response) override;

  // Whether an operator sends clients elsewhere. Thread-safe.
  bool drained() const;

  // Ends the calls that stay open, so that the control server need not wait for them. Before that stops.
  void EndStreams();

 private:
  Server& server_;
  const Cache& cache_;
  const Clock& clock_;
  const MonoTime started_;
  LoadWatchers watchers_;
  WarmCalls warm_calls_;

  mutable std::mutex drain_mutex_;
  bool drained_ = false;                           // guarded by drain_mutex_
  std::function<void(bool serving)> tell_health_;  // guarded by drain_mutex_

  PurgeQueue purges_;
};

}  // namespace perigee::replica
