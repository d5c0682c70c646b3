#include "services/dns/fleet/pulse.h"

#include <algorithm>
#include <chrono>

namespace perigee::dns {

void Pulse::Add(const HealthReport& report, MonoTime now) {
  if (report.rtt > Rtt::zero()) AddRtt(report.rtt);
  against_ = report.serving == up_ ? 0 : against_ + 1;
  if (against_ < needed(now)) return;
  up_ = !up_;
  against_ = 0;
  if (!up_) Fall(now);
}

void Pulse::Fall(MonoTime now) { falls_[fallen_++ % falls_.size()] = now; }

int Pulse::needed(MonoTime now) const {
  if (up_) return options_.reports_to_fall;
  int factor = 1;
  const size_t kept = std::min(fallen_, falls_.size());
  for (size_t back = 2; back <= kept && factor < kMaxRiseFactor; ++back) {
    if (now - falls_[(fallen_ - back) % falls_.size()] <= kFlapMemory) factor *= 2;
  }
  return options_.reports_to_rise * factor;
}

void Pulse::AddRtt(Rtt rtt) {
  if (srtt_ == Rtt::zero()) {
    srtt_ = least_ = rtt;
    rttvar_ = rtt / 8;  // RFC 6298 starts at a half, for a time-out; here it would delay every early decision
    return;
  }
  rttvar_ += (std::chrono::abs(srtt_ - rtt) - rttvar_) / 4;
  srtt_ += (rtt - srtt_) / 8;
  least_ = std::min(rtt, least_ + (rtt - least_) / 64);
}

}  // namespace perigee::dns
