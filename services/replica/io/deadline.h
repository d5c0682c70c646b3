// Deadlines for thousands of connections without a timer each.
//
// A connection owns one Deadline and sets it as often as it likes: that is a store to memory. One sweeper per
// thread looks at all of them every tick, so a deadline fires up to one tick late and never early.
// Everything here belongs to one thread.
#pragma once

#include <boost/intrusive/list.hpp>
#include <chrono>
#include <functional>
#include <utility>

#include "lib/base/clock.h"
#include "services/replica/io/asio.h"

namespace perigee::replica {

class DeadlineSweeper;

class Deadline
    : public boost::intrusive::list_base_hook<boost::intrusive::link_mode<boost::intrusive::auto_unlink>> {
 public:
  // `on_expiry` runs once per expiry, on the sweeper's thread; it typically closes a socket. It must not
  // destroy another Deadline.
  Deadline(DeadlineSweeper& sweeper, std::function<void()> on_expiry);

  void SetAfter(milliseconds after) { at_ = std::chrono::steady_clock::now() + after; }
  void SetAt(MonoTime at) { at_ = at; }
  void Clear() { at_ = MonoTime::max(); }

 private:
  friend class DeadlineSweeper;
  MonoTime at_ = MonoTime::max();
  std::function<void()> on_expiry_;
};

class DeadlineSweeper {
 public:
  static constexpr milliseconds kTick{50};

  explicit DeadlineSweeper(const Executor& executor) : timer_(executor) {}

  // Sweeps every kTick until Stop().
  void Start() { Arm(); }
  void Stop() {
    stopped_ = true;
    timer_.cancel();
  }

  // Fires what is due at `now`; each fired deadline is cleared. MonoTime::max() fires all, even those not
  // set.
  void Sweep(MonoTime now) {
    for (auto it = deadlines_.begin(); it != deadlines_.end();) {
      Deadline& deadline = *it++;
      if (deadline.at_ > now) continue;
      deadline.Clear();
      deadline.on_expiry_();
    }
  }

 private:
  friend class Deadline;

  void Arm() {
    timer_.expires_after(kTick);
    timer_.async_wait([this](const error_code& error) {
      if (error || stopped_) return;
      Sweep(std::chrono::steady_clock::now());
      Arm();
    });
  }

  boost::intrusive::list<Deadline, boost::intrusive::constant_time_size<false>> deadlines_;
  Timer timer_;
  bool stopped_ = false;
};

inline Deadline::Deadline(DeadlineSweeper& sweeper, std::function<void()> on_expiry)
    : on_expiry_(std::move(on_expiry)) {
  sweeper.deadlines_.push_back(*this);
}

}  // namespace perigee::replica
