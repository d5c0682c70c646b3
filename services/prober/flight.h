// One measurement under way: the ladder's decisions carried out on scamper and sockets.
//
// Not thread-safe: lives on the thread that runs `io`.
#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <functional>
#include <optional>
#include <vector>

#include "absl/status/statusor.h"
#include "lib/asio/loop_life.h"
#include "services/prober/hop_rung.h"
#include "services/prober/ladder.h"
#include "services/prober/scamper_daemon.h"
#include "services/prober/tcp_rung.h"

namespace perigee {

// What is measured, validated. Equal targets share a flight.
struct MeasureTarget {
  IpAddress address;
  uint32_t probes = 1;
  std::vector<uint16_t> ports;

  // The most packets that measuring costs, without those that look for the last hop.
  uint32_t packets() const { return probes + static_cast<uint32_t>(ports.size()); }

  friend bool operator==(const MeasureTarget&, const MeasureTarget&) = default;
  template <typename H>
  friend H AbslHashValue(H h, const MeasureTarget& t) {
    return H::combine(std::move(h), t.address, t.probes, t.ports);
  }
};

class Flight {
 public:
  // Called once, from the event loop, unless Stop() comes first. It must not destroy the flight, for the
  // flight is what calls it. Unavailable when scamper dies.
  using OnOver = std::function<void(absl::StatusOr<Measurement>)>;
  // Whether so many datagrams may be sent to find the last hop, at most; asked once, before the first leaves.
  using MayTrace = std::function<bool(uint32_t)>;

  // `plan` as for this client; its probes and ports are the target's.
  Flight(boost::asio::io_context& io, ScamperDaemon& scamper, MeasureTarget target, LadderPlan plan,
         MonoTime silent_at, MayTrace may_trace, OnOver on_over);
  ~Flight() { Stop(); }

  // Sends the first echo request. An error, such as Unavailable, means that no packet left and nothing will
  // come.
  absl::Status Start();

  // A caller with more patience has joined.
  void Extend(MonoTime silent_at);

  // Stops the probes. Nothing is called after this.
  void Stop();

  const Ladder& ladder() const { return ladder_; }
  // The most that it may have sent: what MayTrace was granted, and the target's packets.
  uint32_t packets_granted() const { return target_.packets() + (hops_ ? uint32_t{kMaxHopProbes} : 0); }
  const MeasureTarget& target() const { return target_; }

 private:
  void OnPing(absl::StatusOr<PingResult> result);
  void Do(const Ladder::Actions& actions);
  void StartTcp();
  void SendHops(const std::vector<uint8_t>& hops);
  void OnHopReply(const HopReply& reply);
  void ArmTimer();
  void OnTimer();
  void Over(absl::StatusOr<Measurement> result);

  boost::asio::io_context& io_;
  ScamperDaemon& scamper_;
  const MeasureTarget target_;
  const std::chrono::seconds ping_patience_;
  const MayTrace may_trace_;
  OnOver on_over_;
  Ladder ladder_;
  const LoopLife life_;
  boost::asio::steady_timer timer_;
  std::optional<uint32_t> ping_;
  std::optional<TcpRung> tcp_;
  std::optional<HopRung> hops_;
  bool over_ = false;
};

}  // namespace perigee
