// The TCP rung: a plain connect() to a few ports at once. A SYN-ACK and a RST both show one round trip. See
// docs/adr/0004-tcp-rung-is-connect.md for why this is not scamper's tcp-syn probe.
//
// A connection that opens is timed by the kernel (TCP_INFO) and closed with a RST at once; a refused one is
// timed from before connect() to the event. The rung ends before the kernel would send a second SYN, so every
// port costs one packet and an answer belongs to the SYN that was timed.
//
// Not thread-safe: lives on the thread of its executor.
#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <functional>
#include <memory>
#include <span>
#include <vector>

#include "lib/asio/loop_life.h"
#include "lib/base/address.h"
#include "lib/base/clock.h"

namespace perigee {

// Linux sends the second SYN after one second; a busy machine may come late to prevent it.
inline constexpr std::chrono::milliseconds kTcpPatience{900};

class TcpRung {
 public:
  struct Events {
    std::function<void(Rtt)> on_answer;  // once per port that answered
    std::function<void()> on_end;        // once, after the last answer or kTcpPatience
  };

  // Events come from the event loop, never from within the constructor. The rung must not be destroyed by an
  // event of its own.
  TcpRung(boost::asio::io_context& io, const IpAddress& address, std::span<const uint16_t> ports,
          Events events);
  // Closes everything. No event comes after this.
  ~TcpRung();

  TcpRung(const TcpRung&) = delete;
  TcpRung& operator=(const TcpRung&) = delete;

 private:
  struct Knock;

  void Start(const std::shared_ptr<Knock>& knock, const IpAddress& address, uint16_t port);
  void OnConnect(Knock& knock, const boost::system::error_code& error);
  void End();

  Events events_;
  const LoopLife life_;
  boost::asio::steady_timer patience_;
  std::vector<std::shared_ptr<Knock>> knocks_;  // shared with their handlers
  size_t outstanding_ = 0;
  bool ended_ = false;
};

}  // namespace perigee
