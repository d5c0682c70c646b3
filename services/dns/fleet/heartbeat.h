// Asks both parts of every replica, twice a second, whether they are serving, and tells the fleet state.
#pragma once

#include <grpcpp/grpcpp.h>

#include <atomic>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <memory>
#include <span>
#include <vector>

#include "lib/asio/loop_life.h"
#include "lib/rpc/health_probe.h"
#include "services/dns/fleet/fleet_state.h"
#include "services/dns/fleet/pulse.h"

namespace perigee::dns {

inline constexpr auto kHeartbeatInterval = std::chrono::milliseconds(500);
// A beat that takes longer counts as missed; the next one is sent all the same.
inline constexpr auto kHeartbeatTimeout = std::chrono::milliseconds(800);

class Heartbeat {
 public:
  // Channels in the order of the fleet file. `loop` is run by one thread; make and destroy this while it does
  // not run, or on its thread. The references must outlive it, and `loop` its handlers.
  Heartbeat(boost::asio::io_context& loop, FleetState& fleet,
            std::span<const std::shared_ptr<grpc::Channel>> probers,
            std::span<const std::shared_ptr<grpc::Channel>> servers, const PulseOptions& pulse = {});

  // Sends no further beat, cancels those under way and waits for them; then the destructor does not wait.
  // From any thread but gRPC's.
  void Stop();

 private:
  struct Peer {
    Peer(Part p, ReplicaId r, const Pulse& start, std::shared_ptr<grpc::Channel> channel)
        : part(p), replica(r), pulse(start), probe(std::move(channel)) {}
    Part part;
    ReplicaId replica;
    Pulse pulse;
    HealthProbe probe;
  };

  void Beat();
  void OnReport(Peer& peer, const HealthReport& report);

  boost::asio::io_context& loop_;
  FleetState& fleet_;
  boost::asio::steady_timer timer_;
  std::atomic<bool> stopped_{false};
  const LoopLife life_;
  std::vector<std::unique_ptr<Peer>> peers_;
};

}  // namespace perigee::dns
