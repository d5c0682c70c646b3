#include "services/dns/fleet/pulse.h"

#include <chrono>

namespace perigee::dns {

void Pulse::Add(const HealthReport& report) {
  if (report.rtt > Rtt::zero()) AddRtt(report.rtt);
  against_ = report.serving == up_ ? 0 : against_ + 1;
  if (against_ < (up_ ? kReportsToFall : kReportsToRise)) return;
  up_ = !up_;
  against_ = 0;
}

void Pulse::AddRtt(Rtt rtt) {
  if (srtt_ == Rtt::zero()) {
    srtt_ = rtt;
    rttvar_ = rtt / 8;  // RFC 6298 starts at a half, for a time-out; here it would delay every early decision
    return;
  }
  rttvar_ += (std::chrono::abs(srtt_ - rtt) - rttvar_) / 4;
  srtt_ += (rtt - srtt_) / 8;
}

}  // namespace perigee::dns
