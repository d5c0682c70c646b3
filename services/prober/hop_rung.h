// The last rung's packets: UDP datagrams to the client with a small time to live each, and the ICMP errors
// that routers answer with. It takes no rights: the kernel finds the socket that an error is for, and hands
// it out by MSG_ERRQUEUE (ip(7), IP_RECVERR). docs/adr/0027-the-last-hop-is-found-by-datagrams.md says why
// not by scamper.
//
// The port tells the time to live, for a router need not return more of a datagram than its ports. These are
// the ports of traceroute, so that whoever sees them knows what they are.
//
// Not thread-safe: lives on the thread of its executor.
#pragma once

#include <array>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/udp.hpp>
#include <functional>
#include <optional>
#include <span>

#include "lib/asio/loop_life.h"
#include "lib/base/address.h"
#include "lib/base/clock.h"
#include "services/prober/last_hop.h"

namespace perigee {

// The destination port of a datagram is this and its time to live.
inline constexpr uint16_t kHopPort = 33434;
// The most answers that are read: more than one to a datagram would be somebody's game.
inline constexpr int kMaxHopAnswers = 2 * static_cast<int>(kMaxHopProbes);

class HopRung {
 public:
  using OnReply = std::function<void(const HopReply&)>;

  // Replies come from the event loop; the client's own are among them. The rung must not be destroyed by its
  // own `on_reply`.
  HopRung(boost::asio::io_context& io, const IpAddress& client, OnReply on_reply);
  // Nothing is called after this.
  ~HopRung() = default;

  HopRung(const HopRung&) = delete;
  HopRung& operator=(const HopRung&) = delete;

  // A datagram to each of `hops`, 1 to kMaxHop. Returns how many left: none where there is no route.
  uint32_t Send(std::span<const uint8_t> hops);

 private:
  bool Open();
  bool SendOne(uint8_t ttl);
  void Await();
  void ReadErrors();
  std::optional<HopReply> ReadError(bool* more);

  const IpAddress client_;
  const OnReply on_reply_;
  boost::asio::ip::udp::socket socket_;
  const LoopLife life_;
  std::array<std::optional<MonoTime>, kMaxHop + 1> sent_at_;
  int answers_ = 0;
};

}  // namespace perigee
