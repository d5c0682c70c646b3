#include "services/dns/fleet/heartbeat.h"

#include <boost/asio/post.hpp>

#include "lib/log/log.h"

namespace perigee::dns {

Heartbeat::Heartbeat(boost::asio::io_context& loop, FleetState& fleet,
                     std::span<const std::shared_ptr<grpc::Channel>> probers,
                     std::span<const std::shared_ptr<grpc::Channel>> servers, const PulseOptions& pulse)
    : loop_(loop), fleet_(fleet), timer_(loop) {
  for (size_t i = 0; i < fleet.size(); ++i) {
    const ReplicaId id = ToReplicaId(i);
    for (const Part part : {Part::kProber, Part::kServer}) {
      const Pulse start(pulse, fleet.up(part).Contains(id));
      peers_.push_back(
          std::make_unique<Peer>(part, id, start, part == Part::kProber ? probers[i] : servers[i]));
    }
  }
  boost::asio::post(loop_, life_.Guard([this] { Beat(); }));
}

void Heartbeat::Stop() {
  stopped_ = true;
  for (const auto& peer : peers_) peer->probe.Stop();
}

void Heartbeat::Beat() {
  if (stopped_) return;
  for (const auto& owned : peers_) {
    Peer* peer = owned.get();
    auto on_report = life_.Guard([this, peer](const HealthReport& report) { OnReport(*peer, report); });
    peer->probe.Check(kHeartbeatTimeout, [&loop = loop_, on_report](const HealthReport& report) {
      boost::asio::post(loop, [on_report, report]() mutable { on_report(report); });
    });
  }
  timer_.expires_after(kHeartbeatInterval);
  timer_.async_wait(life_.Guard([this](boost::system::error_code) { Beat(); }));
}

void Heartbeat::OnReport(Peer& peer, const HealthReport& report) {
  if (stopped_) return;  // what was cancelled says nothing of the peer
  const bool was_up = peer.pulse.up();
  peer.pulse.Add(report, std::chrono::steady_clock::now());
  const Rtt rtt = peer.pulse.control_rtt();
  if (peer.part == Part::kProber && rtt > Rtt::zero())
    fleet_.SetControlRtt(peer.replica, rtt, peer.pulse.least_control_rtt());
  if (peer.pulse.up() == was_up) return;
  fleet_.SetUp(peer.part, peer.replica, peer.pulse.up());
  const ReplicaInfo& info = fleet_.info(peer.replica);
  const std::string_view part = peer.part == Part::kProber ? "prober" : "httpserver";
  const std::string_view now = peer.pulse.up() ? "up" : "down";
  LogWarning(LogModule::kDnsFleet, {{"replica", info.name}, {"part", part}, {"state", now}},
             "{} of replica {} ({}) is {}", part, info.name,
             (peer.part == Part::kProber ? info.prober : info.control).ToString(), now);
}

}  // namespace perigee::dns
