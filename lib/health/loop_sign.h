// The life sign of an event loop: a timer in it, so that a sign means that the loop still takes handlers.
#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>

#include "lib/health/life_signs.h"

namespace perigee {

// Everything but the constructor belongs on the loop's thread, or before it runs. `loop` and `sign` outlive
// it.
class LoopSign {
 public:
  LoopSign(boost::asio::io_context& loop, LifeSign& sign) : sign_(sign), timer_(loop) {}

  // Gives the sign from here on; until Stop() the loop has work.
  void Start() {
    sign_.Give(std::chrono::steady_clock::now());
    timer_.expires_after(kLifeSignInterval);
    timer_.async_wait([this](const boost::system::error_code& error) {
      if (!error && !stopped_) Start();
    });
  }
  void Stop() {
    stopped_ = true;
    timer_.cancel();
  }

 private:
  LifeSign& sign_;
  boost::asio::steady_timer timer_;
  bool stopped_ = false;
};

}  // namespace perigee
