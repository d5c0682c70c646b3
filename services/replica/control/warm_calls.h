// The server side of Replica.Warm: a run and a reactor for each call.
#pragma once

#include <condition_variable>
#include <memory>
#include <mutex>
#include <unordered_set>
#include <vector>

#include "perigee/v1/replica.grpc.pb.h"
#include "services/replica/control/warm_run.h"
#include "services/replica/server.h"

namespace perigee::replica {

inline constexpr size_t kMaxWarmCalls = 2;

// Thread-safe.
class WarmCalls {
 public:
  // Both must outlive this.
  WarmCalls(const Server& server, const Clock& clock) : server_(server), clock_(clock) {}
  // Ends what is open. Not on a gRPC thread.
  ~WarmCalls() { End(); }

  // As replica.proto has it. The reactor owns itself.
  grpc::ServerWriteReactor<v1::WarmResult>* Add(const v1::WarmRequest& request);

  // Ends every call with UNAVAILABLE, refuses new ones, and returns when all are gone.
  void End();

 private:
  class Call;
  void Reap();  // mutex_ held

  const Server& server_;
  const Clock& clock_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::unordered_set<Call*> calls_;
  std::vector<std::shared_ptr<WarmRun>> runs_;  // joined here, for a run's thread cannot join itself
  bool ended_ = false;
};

}  // namespace perigee::replica
