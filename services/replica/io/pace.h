// How long a peer may keep one message waiting: without a byte for `grace` at a time, and in all for `grace`
// and the time that its bytes take at `rate`. Without the second a peer that moves a byte now and then would
// hold a connection for ever. Only the time that is spent waiting for the peer counts. Pure.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>

#include "lib/base/clock.h"

namespace perigee::replica {

class Pace {
 public:
  // `rate`: bytes per second; 0 asks for none.
  Pace(std::chrono::milliseconds grace, uint64_t rate) : grace_(grace), rate_(rate) {}

  // A new message begins. `moved`, here and below: what the peer has moved so far, of all messages.
  void Begin(uint64_t moved) {
    begin_ = moved;
    waited_ = {};
  }
  // The peer is waited for from now on: until when at most.
  MonoTime Await(MonoTime now, uint64_t moved) {
    since_ = now;
    if (rate_ == 0) return now + grace_;
    const std::chrono::milliseconds due((moved - begin_) * 1'000 / rate_);
    return now + std::min<MonoTime::duration>(grace_, grace_ + due - waited_);
  }
  // No longer.
  void Waited(MonoTime now) { waited_ += now - since_; }

 private:
  std::chrono::milliseconds grace_;
  uint64_t rate_;
  uint64_t begin_ = 0;
  MonoTime::duration waited_{};
  MonoTime since_;
};

}  // namespace perigee::replica
