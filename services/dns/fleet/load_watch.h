// Follows every replica over Replica.Watch: tells the fleet state its load, and whoever wants to know what
// its connections say of clients.
#pragma once

#include <grpcpp/grpcpp.h>

#include <atomic>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <functional>
#include <memory>
#include <mutex>
#include <span>
#include <vector>

#include "lib/asio/loop_life.h"
#include "lib/base/clock.h"
#include "perigee/v1/replica.pb.h"
#include "services/dns/fleet/fleet_state.h"
#include "services/dns/steering/clientele.h"
#include "services/dns/steering/inference.h"

namespace perigee::dns {

inline constexpr int kMaxClientRtts = 4'096;
inline constexpr int kMaxBeacons = 256;
inline constexpr Rtt kMaxClientRtt = std::chrono::seconds(10);

struct LoadWatchOptions {
  std::chrono::milliseconds interval{1000};  // of the reports, and of the looks at them
  // A report that is older says nothing any more: the replica counts as not overloaded, and is asked anew.
  std::chrono::milliseconds stale{5000};
  // Before a lost watch is begun again: the first delay, which doubles up to the last.
  std::chrono::milliseconds first_delay{1000}, last_delay{10'000};
  // What connections said since the last report, on a gRPC thread; none: replicas are not asked. At most
  // kMaxClientRtts, of whole client prefixes; what makes no sense is left out.
  std::function<void(ReplicaId, std::vector<PassiveRtt>)> on_client_rtts;
  // Who came for beacons since the last report, likewise: at most kMaxBeacons. Only with `on_client_rtts`.
  std::function<void(ReplicaId, std::vector<SeenBeacon>)> on_beacons;
};

// Pure: when to begin again.
class ReconnectDelay {
 public:
  ReconnectDelay(std::chrono::milliseconds first, std::chrono::milliseconds last)
      : first_(first), last_(last), next_(first) {}
  std::chrono::milliseconds Next();
  void Reset() { next_ = first_; }

 private:
  std::chrono::milliseconds first_, last_, next_;
};

// What a report says of clients, as far as it makes sense.
std::vector<PassiveRtt> ReadClientRtts(const v1::WatchReport& report);
std::vector<SeenBeacon> ReadBeacons(const v1::WatchReport& report);

class LoadWatch {
 public:
  // Channels to the httpservers in the order of the fleet file. `loop` is run by one thread; make and destroy
  // this while it does not run, or on its thread. The references must outlive it, and `loop` its handlers.
  LoadWatch(boost::asio::io_context& loop, FleetState& fleet,
            std::span<const std::shared_ptr<grpc::Channel>> servers, const LoadWatchOptions& options = {});
  ~LoadWatch();

  // Begins no further watch, cancels those under way and waits for them; then the destructor does not wait.
  // From any thread but gRPC's.
  void Stop();

 private:
  struct Peer;
  class Watcher;

  void Look();
  void Watch(Peer& peer);
  void Cancel(Peer& peer);
  void OnReport(Peer& peer);
  void OnEnd(Peer& peer);
  // Runs `handle` on the loop's thread unless this is gone by then. From any thread while this lives.
  void Post(void (LoadWatch::*handle)(Peer&), Peer& peer);

  boost::asio::io_context& loop_;
  FleetState& fleet_;
  const LoadWatchOptions options_;
  boost::asio::steady_timer timer_;
  std::mutex starting_;  // held while a watch begins: gRPC may lose a cancellation that comes amid it
  std::atomic<bool> stopped_{false};  // set under starting_
  const LoopLife life_;
  std::vector<std::unique_ptr<Peer>> peers_;
};

}  // namespace perigee::dns
