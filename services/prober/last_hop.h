// The last rung: how far is the last hop that answers? Pure.
//
// Datagrams whose time to live runs out on the way make routers answer (RFC 792, RFC 4443 §3.3). The farthest
// hop that does so is on the way to the client: its round-trip time is a floor, the client is at least as
// far.
//
// All hops are tried at once, one datagram each. Of a client that was reached so before, only those around
// the hop that answered.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "lib/base/address.h"
#include "lib/base/clock.h"

namespace perigee {

// The least and the most time to live that is tried: the first router is our own.
inline constexpr uint8_t kFirstHop = 2, kMaxHop = 21;
// The most datagrams of one measurement: with one echo and three ports they fit into the default budget of a
// prefix.
inline constexpr size_t kMaxHopProbes = 16;
// How long the farthest answer so far stays alone before it counts: an ocean's round trip after the first
// routers', and half as much again as the farthest that has answered.
inline constexpr std::chrono::milliseconds kHopPatience{160};

// Times to live, ascending; `last` is that of the hop that answered last time.
std::vector<uint8_t> HopsToTry(std::optional<uint8_t> last);

// What one datagram was answered with.
struct HopReply {
  uint8_t ttl = 0;  // of the datagram
  IpAddress from;
  Rtt rtt{};
};

class HopReplies {
 public:
  void Add(const HopReply& reply) { replies_.push_back(reply); }
  bool empty() const { return replies_.empty(); }
  // Its least time to live and its least round trip.
  std::optional<HopReply> Farthest() const;
  // After the sending of the datagrams: when nothing farther is to be expected.
  Rtt Patience() const;

 private:
  std::vector<HopReply> replies_;  // at most kMaxHopProbes
};

}  // namespace perigee
