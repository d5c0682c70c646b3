// One peer's health out of a row of heartbeats, and its distance: pure, fed with reports.
#pragma once

#include <array>
#include <chrono>
#include <cstddef>

#include "lib/base/clock.h"
#include "lib/rpc/health_probe.h"

namespace perigee::dns {

// A peer that was up is down after so many bad reports in a row, and up again after so many good ones: one
// lost packet moves no client.
struct PulseOptions {
  int reports_to_fall = 3;
  int reports_to_rise = 2;
};

// A flapping peer gets no clients: each earlier fall within this time doubles the good reports that are
// needed, up to kMaxRiseFactor times as many.
inline constexpr auto kFlapMemory = std::chrono::minutes(10);
inline constexpr int kMaxRiseFactor = 64;

class Pulse {
 public:
  // `up`: what was known before the first report.
  explicit Pulse(const PulseOptions& options = {}, bool up = true) : options_(options), up_(up) {}

  // `now` never goes back.
  void Add(const HealthReport& report, MonoTime now);

  bool up() const { return up_; }

  // What a control round trip takes at most, all but always: smoothed RTT plus four times its mean deviation,
  // as TCP computes its time-out (RFC 6298 §2). Zero before the first report with an RTT.
  Rtt control_rtt() const { return srtt_ + 4 * rttvar_; }
  // What it takes at least: the least seen, which gives way slowly when the path has become longer.
  Rtt least_control_rtt() const { return least_; }

 private:
  void AddRtt(Rtt rtt);
  void Fall(MonoTime now);
  int needed(MonoTime now) const;

  PulseOptions options_;
  bool up_;
  int against_ = 0;  // reports in a row that contradict up_
  // The last falls, in a ring; the latest is the one from which the peer is to rise.
  std::array<MonoTime, 7> falls_{};
  size_t fallen_ = 0;
  Rtt srtt_{}, rttvar_{}, least_{};
};

}  // namespace perigee::dns
