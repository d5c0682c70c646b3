// The last rung: how far is the last hop that answers? Pure.
//
// Datagrams whose time to live runs out on the way make routers answer (RFC 792, RFC 4443 §3.3). The farthest
// hop that does so is on the way to the client: its round-trip time is a floor, the client is at least as
// far.
//
// Every third hop is tried at once. When their answers pause, those between the farthest that answered and
// the next that was tried follow. Of a client that was reached so before, only the hops around that one are
// tried.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "lib/base/address.h"
#include "lib/base/clock.h"

namespace perigee {

// The most time to live that is tried.
inline constexpr uint8_t kMaxHop = 19;
// The most datagrams of one measurement: those at once, and those between. With one echo and three ports they
// fit into any budget (kMinimumBurst).
inline constexpr size_t kFirstHopProbes = 6, kNextHopProbes = 4,
                        kMaxHopProbes = kFirstHopProbes + kNextHopProbes;
// After so long without another answer, the hops between are tried.
inline constexpr std::chrono::milliseconds kHopPause{20};
// How long after the first datagrams the farthest answer counts at the earliest: an ocean may lie between one
// hop and the next. It is half as much again as the farthest that has answered took, when that is more.
inline constexpr std::chrono::milliseconds kHopPatience{160};

// What one datagram was answered with.
struct HopReply {
  uint8_t ttl = 0;  // of the datagram
  IpAddress from;
  Rtt rtt{};
};

class HopSearch {
 public:
  // `last`: the time to live of the hop that answered last time.
  explicit HopSearch(std::optional<uint8_t> last = std::nullopt) : last_(last) {}

  // Times to live to send datagrams with, to begin.
  std::vector<uint8_t> Start(MonoTime now);
  bool started() const { return started_at_.has_value(); }
  void OnReply(const HopReply& reply, MonoTime now);
  // More of them, if any are due by now.
  std::vector<uint8_t> Next(MonoTime now);
  // When Next has something to send, as things stand.
  std::optional<MonoTime> NextDue() const;
  // When nothing farther is to be expected, as things stand. Only once started.
  MonoTime OverAt() const;

  // With its least time to live and its least round trip.
  std::optional<HopReply> Farthest() const;

 private:
  std::vector<uint8_t> Between() const;

  const std::optional<uint8_t> last_;
  std::optional<MonoTime> started_at_;
  MonoTime heard_at_, next_at_;  // the last reply, and the last sending of Next
  std::vector<uint8_t> tried_;
  size_t left_ = kNextHopProbes;
  std::vector<HopReply> replies_;
};

}  // namespace perigee
