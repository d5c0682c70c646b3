#include "services/prober/flight.h"

#include <algorithm>
#include <utility>

namespace perigee {
namespace {

using std::chrono::seconds;

constexpr seconds kMostPingPatience{10};

MonoTime Now() { return std::chrono::steady_clock::now(); }

// scamper should not give up before we do; when we do first, its task is halted.
seconds PingPatience(MonoTime silent_at) {
  return std::clamp(std::chrono::ceil<seconds>(silent_at - Now()), seconds(1), kMostPingPatience);
}

LadderPlan PlanOf(LadderPlan plan, const MeasureTarget& target) {
  plan.probes = target.probes;
  plan.ports = static_cast<uint32_t>(target.ports.size());
  return plan;
}

}  // namespace

Flight::Flight(boost::asio::io_context& io, ScamperDaemon& scamper, MeasureTarget target, LadderPlan plan,
               MonoTime silent_at, MayTrace may_trace, OnOver on_over)
    : io_(io),
      scamper_(scamper),
      target_(std::move(target)),
      ping_patience_(PingPatience(silent_at)),
      may_trace_(std::move(may_trace)),
      on_over_(std::move(on_over)),
      ladder_(PlanOf(plan, target_), Now(), silent_at),
      timer_(io) {}

absl::Status Flight::Start() {
  const PingCommand command{.address = target_.address,
                            .count = target_.probes,
                            .spacing = kEchoSpacing,
                            .patience = ping_patience_};
  auto ping =
      scamper_.Ping(command, [this](absl::StatusOr<PingResult> result) { OnPing(std::move(result)); });
  if (!ping.ok()) return ping.status();
  ping_ = *ping;
  ArmTimer();
  return absl::OkStatus();
}

void Flight::OnPing(absl::StatusOr<PingResult> result) {
  ping_.reset();
  if (absl::IsUnavailable(result.status())) return Over(result.status());
  // scamper takes no ping to where there is no route; then TCP has none either, and says so at once.
  PingResult ping = result.ok() ? *std::move(result) : PingResult{};
  Do(ladder_.OnIcmpEnd(ping.sent, std::move(ping.rtts), Now()));
}

void Flight::Extend(MonoTime silent_at) {
  ladder_.Extend(silent_at);
  ArmTimer();
}

void Flight::Do(const Ladder::Actions& actions) {
  if (over_) return;
  if (ladder_.result()) return Over(*ladder_.result());
  if (actions.halt_icmp && ping_) scamper_.Halt(*ping_);
  if (actions.start_tcp) StartTcp();
  if (!actions.hops.empty()) return SendHops(actions.hops);
  ArmTimer();
}

void Flight::StartTcp() {
  tcp_.emplace(io_, target_.address, target_.ports,
               TcpRung::Events{[this](Rtt rtt) { Do(ladder_.OnTcpAnswer(rtt, Now())); },
                               [this] { Do(ladder_.OnTcpEnd(Now())); }});
}

void Flight::SendHops(const std::vector<uint8_t>& hops) {
  if (!hops_ && may_trace_(kMaxHopProbes)) {
    hops_.emplace(io_, target_.address, [this](const HopReply& reply) { OnHopReply(reply); });
  }
  Do(ladder_.OnHopsSent(hops_ ? hops_->Send(hops) : 0, Now()));
}

void Flight::OnHopReply(const HopReply& reply) {
  if (over_) return;
  const bool is_client = reply.from == target_.address;
  Do(is_client ? ladder_.OnClientReply(reply, Now()) : ladder_.OnHopReply(reply, Now()));
}

void Flight::ArmTimer() {
  timer_.expires_at(ladder_.wake());
  timer_.async_wait(life_.Guard([this](const boost::system::error_code& error) {
    if (!error) OnTimer();
  }));
}

void Flight::OnTimer() { Do(ladder_.OnTimer(Now())); }

void Flight::Stop() {
  over_ = true;
  timer_.cancel();
  if (ping_) scamper_.Abandon(*std::exchange(ping_, std::nullopt));
}

void Flight::Over(absl::StatusOr<Measurement> result) {
  if (over_) return;
  Stop();
  on_over_(std::move(result));
}

}  // namespace perigee
