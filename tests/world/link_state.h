// The links of a world: what happens to a packet from one host to another, and when it arrives.
//
// A packet passes, in this order: cuts, the filter of its target, loss, the sender's uplink (rate), the
// path (half the pair's RTT, plus or minus the jitter of both ends), and the target's downlink (rate).
// One whose time to live does not last to its target turns back at a router on the way instead (TurnBack).
// Packets of one direction of a pair never overtake each other, as on most real paths, whatever the jitter.
// Deterministic for a seed. Not thread-safe.
#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <random>
#include <string_view>
#include <vector>

#include "lib/base/clock.h"
#include "tests/world/frame.h"
#include "tests/world/world_description.h"

namespace perigee::world {

// How much may wait for a link of limited rate: as much as it sends in this time.
inline constexpr std::chrono::milliseconds kMaxRateBacklog{200};

enum class Verdict : uint8_t { kForward, kCut, kIcmpBlocked, kLost, kRateBacklog, kProbeBlocked, kExpired };
inline constexpr std::array<std::string_view, 7> kVerdictNames = {
    "forward", "cut", "icmp_blocked", "lost", "rate_backlog", "probe_blocked", "expired"};

struct Passage {
  Verdict verdict = Verdict::kForward;
  // Of kForward: when the packet is at the target's downlink. Of kExpired: when its sender hears of it.
  MonoTime due;
};

class LinkState {
 public:
  LinkState(const World& world, uint64_t seed);

  // A packet of `bytes` leaves `from` for `to` now.
  Passage Depart(HostId from, HostId to, size_t bytes, Wants wants, MonoTime now);

  // A packet of `bytes` leaves `from` for `to` now, and ends at router number `hop` (from 1) on its way.
  Passage TurnBack(HostId from, HostId to, uint8_t hop, size_t bytes, MonoTime now);

  // A packet is at the downlink of `to`; when the host has it whole: `now` if the rate is unlimited.
  // Nothing when too much waits for the link already.
  std::optional<MonoTime> Arrive(HostId to, size_t bytes, MonoTime now);

  const HostKnobs& knobs(HostId host) const { return hosts_[Index(host)].knobs; }
  HostKnobs& knobs(HostId host) { return hosts_[Index(host)].knobs; }

  bool cut(HostId host) const { return hosts_[Index(host)].cut; }
  void SetCut(HostId host, bool cut) { hosts_[Index(host)].cut = cut; }

  perigee::Rtt Rtt(HostId a, HostId b) const { return At(a, b).rtt; }
  // These three hold for both directions.
  void SetRtt(HostId a, HostId b, perigee::Rtt rtt);
  void SetPairCut(HostId a, HostId b, bool cut);
  void SetPairLoss(HostId a, HostId b, double loss);

 private:
  struct HostLink {
    HostKnobs knobs;
    bool cut = false;
    MonoTime uplink_free, downlink_free;  // when the link has sent all that waits for it
  };
  struct Direction {
    perigee::Rtt rtt{};
    double loss = 0;
    bool cut = false;
    MonoTime last_due;
  };

  Direction& At(HostId a, HostId b) { return directions_[Index(a) * hosts_.size() + Index(b)]; }
  const Direction& At(HostId a, HostId b) const { return directions_[Index(a) * hosts_.size() + Index(b)]; }
  double Uniform();  // in [0, 1)
  bool Lost(const HostLink& from, const HostLink& to, const Direction& path);
  std::chrono::nanoseconds Jitter(const HostLink& from, const HostLink& to);

  std::vector<HostLink> hosts_;
  std::vector<Direction> directions_;  // hosts × hosts, by sender
  std::mt19937_64 random_;
};

}  // namespace perigee::world
