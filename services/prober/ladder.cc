#include "services/prober/ladder.h"

#include <algorithm>
#include <utility>

namespace perigee {
namespace {

// The last hop matters as long as nothing better is known.
bool IsTracing(const std::optional<Measurement>& below) {
  return !below || below->method == ProbeMethod::kLastHop;
}

}  // namespace

Ladder::Ladder(const LadderPlan& plan, MonoTime start, MonoTime silent_at)
    : plan_(plan), start_(start), silent_at_(silent_at), icmp_sent_(plan.probes), hops_(plan.last_hop) {}

Ladder::Actions Ladder::OnIcmpEnd(uint32_t sent, std::vector<Rtt> rtts, MonoTime now) {
  icmp_ended_ = true;
  icmp_sent_ = std::min(sent, plan_.probes);
  icmp_rtts_ = std::move(rtts);
  return Decide(now);
}

Ladder::Actions Ladder::OnTcpAnswer(Rtt rtt, MonoTime now) {
  tcp_rtts_.push_back(rtt);
  return Decide(now);
}

Ladder::Actions Ladder::OnTcpEnd(MonoTime now) {
  tcp_ended_ = true;
  return Decide(now);
}

Ladder::Actions Ladder::OnHopsSent(uint32_t sent, MonoTime now) {
  hops_sent_ += sent;
  hops_failed_ = hops_sent_ == 0;
  return Decide(now);
}

Ladder::Actions Ladder::OnHopReply(const HopReply& reply, MonoTime now) {
  hops_.OnReply(reply, now);
  return Decide(now);
}

Ladder::Actions Ladder::OnClientReply(const HopReply& reply, MonoTime now) {
  if (!client_reply_) client_reply_ = reply;
  return Decide(now);
}

Ladder::Actions Ladder::OnTimer(MonoTime now) { return Decide(now); }

void Ladder::Extend(MonoTime silent_at) {
  if (!halted_at_) silent_at_ = std::max(silent_at_, silent_at);
}

MonoTime Ladder::HopsDue() const {
  return start_ + kEchoSpacing * (plan_.probes - 1) + plan_.tcp_stagger + plan_.hop_stagger;
}

std::vector<uint8_t> Ladder::HopsToSend(MonoTime now) {
  if (hops_.started()) return hops_failed_ ? std::vector<uint8_t>{} : hops_.Next(now);
  const bool due = (icmp_ended_ && tcp_ended_) || now >= HopsDue();
  return due ? hops_.Start(now) : std::vector<uint8_t>{};
}

std::optional<Measurement> Ladder::BelowIcmp() const {
  if (!tcp_rtts_.empty()) return Measurement{ProbeMethod::kTcpSyn, tcp_rtts_, plan_.ports};
  if (client_reply_)
    return Measurement{ProbeMethod::kUdpPort, {client_reply_->rtt}, hops_sent_, client_reply_};
  if (const auto hop = hops_.Farthest())
    return Measurement{ProbeMethod::kLastHop, {hop->rtt}, hops_sent_, hop};
  return std::nullopt;
}

// When what another rung has no longer waits: for ICMP's answer, and for that of a farther hop.
MonoTime Ladder::VerdictDue(const Measurement& below) const {
  const MonoTime complete = below.method == ProbeMethod::kLastHop ? hops_.OverAt() : start_;
  if (plan_.probes == 1 || icmp_ended_) return complete;
  const Rtt fastest = *std::min_element(below.rtts.begin(), below.rtts.end());
  return std::max(complete, start_ + kEchoSpacing * (plan_.probes - 1) + fastest + kIcmpSlack);
}

bool Ladder::NothingIsLeft(MonoTime now) const {
  const bool hops_are_over = hops_failed_ || (hops_.started() && now >= hops_.OverAt());
  return icmp_ended_ && tcp_ended_ && hops_are_over;
}

Ladder::Actions Ladder::Decide(MonoTime now) {
  if (result_) return {};
  if (!icmp_rtts_.empty()) {
    result_ = {ProbeMethod::kIcmpEcho, icmp_rtts_, icmp_sent_};
    return {};
  }
  const auto below = BelowIcmp();
  const bool time_is_up = now >= silent_at_ || NothingIsLeft(now) || (below && now >= VerdictDue(*below));
  // A single probe that another rung answered needs no word from ICMP; otherwise halting it makes it tell
  // what it has.
  const bool icmp_is_out = icmp_ended_ || (halted_at_ && now >= *halted_at_ + kHaltGrace);
  if (time_is_up && (icmp_is_out || (below && plan_.probes == 1))) {
    result_ = SoFar();
    return {};
  }
  Actions actions;
  if (time_is_up && !icmp_ended_ && !halted_at_) {
    halted_at_ = now;
    actions.halt_icmp = true;
  }
  if (now >= silent_at_) return actions;
  const bool tcp_is_due = icmp_ended_ || now >= start_ + plan_.tcp_stagger;
  if (tcp_is_due && !tcp_started_) tcp_started_ = actions.start_tcp = true;
  if (IsTracing(below)) actions.hops = HopsToSend(now);
  return actions;
}

MonoTime Ladder::wake() const {
  if (halted_at_) return *halted_at_ + kHaltGrace;
  MonoTime wake = silent_at_;
  if (!tcp_started_) wake = std::min(wake, start_ + plan_.tcp_stagger);
  const auto below = BelowIcmp();
  if (below) wake = std::min(wake, VerdictDue(*below));
  if (!below && !hops_.started()) wake = std::min(wake, HopsDue());
  const auto next = IsTracing(below) ? hops_.NextDue() : std::nullopt;
  if (next) wake = std::min(wake, *next);
  if (icmp_ended_ && tcp_ended_ && hops_.started()) wake = std::min(wake, hops_.OverAt());
  return wake;
}

Measurement Ladder::SoFar() const {
  return BelowIcmp().value_or(Measurement{ProbeMethod::kSilent, {}, packets_sent()});
}

}  // namespace perigee
