// Lets a coroutine sleep until another thread, or its own, wakes it.
//
// The sleeper registers a Wakeup where the waker finds it (under the waker's lock, after it has seen that
// what it waits for is not there yet) and then awaits Sleep. Wake posts to the sleeper's executor, so it
// can't arrive before the sleeper has gone to sleep, and it may arrive after the sleeper has gone: both are
// safe.
#pragma once

#include <boost/asio/post.hpp>
#include <memory>

#include "lib/base/clock.h"
#include "services/replica/io/asio.h"

namespace perigee::replica {

class Wakeup : public std::enable_shared_from_this<Wakeup> {
 public:
  static std::shared_ptr<Wakeup> Create(const Executor& executor) {
    return std::shared_ptr<Wakeup>(new Wakeup(executor));
  }

  // Sleeps until woken (true) or until `deadline` (false). Called on the executor's thread, once per Wake.
  Task<bool> Sleep(MonoTime deadline) {
    const std::shared_ptr<Wakeup> self = shared_from_this();
    timer_.expires_at(deadline);
    auto [error] = co_await timer_.async_wait(kAwait);
    co_return error == asio::error::operation_aborted;
  }

  // Thread-safe.
  void Wake() {
    asio::post(timer_.get_executor(), [self = shared_from_this()] { self->timer_.cancel(); });
  }

 private:
  explicit Wakeup(const Executor& executor) : timer_(executor) {}
  Timer timer_;
};

}  // namespace perigee::replica
