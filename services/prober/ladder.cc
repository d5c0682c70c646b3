#include "services/prober/ladder.h"

#include <algorithm>
#include <utility>

namespace perigee {

Ladder::Ladder(const LadderPlan& plan, MonoTime start, MonoTime silent_at)
    : plan_(plan), start_(start), silent_at_(silent_at), icmp_sent_(plan.probes) {}

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

Ladder::Actions Ladder::OnTimer(MonoTime now) { return Decide(now); }

void Ladder::Extend(MonoTime silent_at) {
  if (!halted_at_) silent_at_ = std::max(silent_at_, silent_at);
}

// When a TCP answer no longer waits for ICMP's.
MonoTime Ladder::IcmpVerdictDue() const {
  if (plan_.probes == 1) return start_;
  const Rtt fastest = *std::min_element(tcp_rtts_.begin(), tcp_rtts_.end());
  return start_ + kEchoSpacing * (plan_.probes - 1) + fastest + kIcmpSlack;
}

Ladder::Actions Ladder::Decide(MonoTime now) {
  if (result_) return {};
  if (!icmp_rtts_.empty()) {
    Finish(ProbeMethod::kIcmpEcho, icmp_rtts_, icmp_sent_);
    return {};
  }
  // A single probe that TCP answered needs no word from ICMP; otherwise halting it makes it tell what it has.
  const bool icmp_is_out = icmp_ended_ || (halted_at_ && now >= *halted_at_ + kHaltGrace);
  if (!tcp_rtts_.empty() && (icmp_is_out || plan_.probes == 1)) {
    Finish(ProbeMethod::kTcpSyn, tcp_rtts_, plan_.ports);
    return {};
  }
  const bool tcp_is_out = tcp_ended_ || (now >= silent_at_);
  if (icmp_is_out && tcp_is_out) {
    result_ = Silent();
    return {};
  }
  Actions actions;
  const bool time_is_up = now >= silent_at_ || (!tcp_rtts_.empty() && now >= IcmpVerdictDue());
  if (time_is_up && !icmp_ended_ && !halted_at_) {
    halted_at_ = now;
    actions.halt_icmp = true;
  }
  const bool tcp_is_due = icmp_ended_ || now >= start_ + plan_.tcp_stagger;
  if (tcp_is_due && !tcp_started_ && now < silent_at_) tcp_started_ = actions.start_tcp = true;
  return actions;
}

MonoTime Ladder::wake() const {
  if (halted_at_) return *halted_at_ + kHaltGrace;
  MonoTime wake = silent_at_;
  if (!tcp_started_) wake = std::min(wake, start_ + plan_.tcp_stagger);
  if (!tcp_rtts_.empty()) wake = std::min(wake, IcmpVerdictDue());
  return wake;
}

Measurement Ladder::Silent() const { return {ProbeMethod::kSilent, {}, packets_sent()}; }

}  // namespace perigee
