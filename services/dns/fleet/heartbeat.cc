#include "services/dns/fleet/heartbeat.h"

#include <boost/asio/post.hpp>

#include "spdlog/spdlog.h"

namespace perigee::dns {

Heartbeat::Heartbeat(boost::asio::io_context& loop, FleetState& fleet,
                     std::span<const std::shared_ptr<grpc::Channel>> probers,
                     std::span<const std::shared_ptr<grpc::Channel>> servers)
    : loop_(loop), fleet_(fleet), timer_(loop) {
  for (size_t i = 0; i < fleet.size(); ++i) {
    peers_.push_back(std::make_unique<Peer>(Part::kProber, ToReplicaId(i), probers[i]));
    peers_.push_back(std::make_unique<Peer>(Part::kServer, ToReplicaId(i), servers[i]));
  }
  boost::asio::post(loop_, [this] { Beat(); });
}

void Heartbeat::Beat() {
  for (const auto& owned : peers_) {
    Peer* peer = owned.get();
    peer->probe.Check(kHeartbeatTimeout, [this, peer](const HealthReport& report) {
      boost::asio::post(loop_, [this, peer, report] { OnReport(*peer, report); });
    });
  }
  timer_.expires_after(kHeartbeatInterval);
  timer_.async_wait([this](boost::system::error_code error) {
    if (!error) Beat();
  });
}

void Heartbeat::OnReport(Peer& peer, const HealthReport& report) {
  const bool was_up = peer.pulse.up();
  peer.pulse.Add(report);
  if (peer.part == Part::kProber) fleet_.SetControlRtt(peer.replica, peer.pulse.control_rtt());
  if (peer.pulse.up() == was_up) return;
  fleet_.SetUp(peer.part, peer.replica, peer.pulse.up());
  const ReplicaInfo& info = fleet_.info(peer.replica);
  spdlog::warn("{} of replica {} ({}) is {}", peer.part == Part::kProber ? "prober" : "httpserver", info.name,
               (peer.part == Part::kProber ? info.prober : info.control).ToString(),
               peer.pulse.up() ? "up" : "down");
}

}  // namespace perigee::dns
