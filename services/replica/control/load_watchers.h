// The server side of Replica.Watch: one reactor per watcher, each with an alarm of its own.
#pragma once

#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <unordered_set>

#include "lib/base/clock.h"
#include "perigee/v1/replica.grpc.pb.h"
#include "services/replica/server.h"
#include "services/replica/telemetry/beacons.h"
#include "services/replica/telemetry/client_rtts.h"

namespace perigee::replica {

// A director or two, and some operators.
inline constexpr size_t kMaxWatchers = 16;
inline constexpr std::chrono::milliseconds kDefaultWatchInterval{1000}, kMinWatchInterval{100},
    kMaxWatchInterval{60'000};

// Pure: per second, rounded to the nearest; 0 when no time has passed.
uint32_t RequestRate(uint64_t before, uint64_t now, std::chrono::nanoseconds elapsed);

// Thread-safe.
class LoadWatchers {
 public:
  // `stats` is asked once per report; it and the others must outlive this.
  LoadWatchers(std::function<ServerStats()> stats, const Clock& clock, const ClientRtts& rtts,
               const Beacons& beacons);
  // Ends what is open. Not on a gRPC thread.
  ~LoadWatchers() { End(); }

  // As replica.proto has it. The reactor owns itself.
  grpc::ServerWriteReactor<v1::WatchReport>* Add(const v1::WatchRequest& request);

  // Ends every watch with UNAVAILABLE, refuses new ones, and returns when all are gone.
  void End();

 private:
  class Watcher;

  std::function<ServerStats()> stats_;
  const Clock& clock_;
  const ClientRtts& rtts_;
  const Beacons& beacons_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::unordered_set<Watcher*> watchers_;
  bool ended_ = false;
};

}  // namespace perigee::replica
