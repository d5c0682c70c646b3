// Handlers on a loop that outlive the object they are for.
//
// A timer's or a call's handler may stand in the loop's queue when the object is destroyed, and no
// cancellation takes it out again. So it is wrapped: it runs only while the object lives.
#pragma once

#include <memory>
#include <utility>

namespace perigee {

// A member of the object. Both its destructor and the wrapped handlers run on the loop's thread, or while the
// loop does not run; Guard may be called from any thread while the object lives.
class LoopLife {
 public:
  LoopLife() = default;
  ~LoopLife() { *alive_ = false; }
  LoopLife(const LoopLife&) = delete;
  LoopLife& operator=(const LoopLife&) = delete;

  template <typename Handler>
  auto Guard(Handler handler) const {
    return [alive = alive_, handler = std::move(handler)](auto&&... args) mutable {
      if (*alive) handler(std::forward<decltype(args)>(args)...);
    };
  }

 private:
  const std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace perigee
