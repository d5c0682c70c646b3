#include "lib/rpc/call_group.h"

namespace perigee {

CallGroup::Membership::Membership(CallGroup& group) : group_(group) {
  const std::lock_guard lock(group_.mutex_);
  group_.calls_.insert(this);
}

CallGroup::Membership::~Membership() {
  const std::lock_guard lock(group_.mutex_);
  group_.calls_.erase(this);
  group_.changed_.notify_all();
}

CallGroup::~CallGroup() {
  std::unique_lock lock(mutex_);
  for (Membership* call : calls_) call->context.TryCancel();
  changed_.wait(lock, [this] { return calls_.empty(); });
}

}  // namespace perigee
