// One peer's health out of a row of heartbeats, and its distance: pure, fed with reports.
#pragma once

#include "lib/base/clock.h"
#include "lib/rpc/health_probe.h"

namespace perigee::dns {

// A peer that was up is down after this many bad reports in a row, and up again after this many good ones:
// one lost packet moves no client, and a flapping peer gets none.
inline constexpr int kReportsToFall = 3;
inline constexpr int kReportsToRise = 2;

class Pulse {
 public:
  void Add(const HealthReport& report);

  bool up() const { return up_; }

  // What a control round trip takes at most, all but always: smoothed RTT plus four times its mean deviation,
  // as TCP computes its time-out (RFC 6298 §2). Zero before the first report with an RTT.
  Rtt control_rtt() const { return srtt_ + 4 * rttvar_; }

 private:
  void AddRtt(Rtt rtt);

  bool up_ = true;
  int against_ = 0;  // reports in a row that contradict up_
  Rtt srtt_{}, rttvar_{};
};

}  // namespace perigee::dns
