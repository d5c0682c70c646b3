// The Replica service of the control port (proto/perigee/v1/replica.proto).
#pragma once

#include "lib/base/clock.h"
#include "perigee/v1/replica.grpc.pb.h"
#include "services/replica/cache/cache.h"
#include "services/replica/control/load_watchers.h"
#include "services/replica/server.h"

namespace perigee::replica {

v1::StatsResponse ToProto(const ServerStats& server, const CacheStats& cache, std::chrono::seconds uptime);

class ReplicaService final : public v1::Replica::CallbackService {
 public:
  // All must outlive the service.
  ReplicaService(const Server& server, const Cache& cache, const Clock& clock)
      : server_(server),
        cache_(cache),
        clock_(clock),
        started_(clock.Now()),
        watchers_([&server] { return server.Stats(); }, clock, &server.client_rtts()) {}

  grpc::ServerUnaryReactor* Stats(grpc::CallbackServerContext* context, const v1::StatsRequest* request,
                                  v1::StatsResponse* response) override;
  grpc::ServerWriteReactor<v1::WatchReport>* Watch(grpc::CallbackServerContext* context,
                                                   const v1::WatchRequest* request) override;

  // Ends the watches that are open, so that the control server need not wait for them. Before that stops.
  void EndWatches() { watchers_.End(); }

 private:
  const Server& server_;
  const Cache& cache_;
  const Clock& clock_;
  const MonoTime started_;
  LoadWatchers watchers_;
};

}  // namespace perigee::replica
