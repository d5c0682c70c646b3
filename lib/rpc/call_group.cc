#include "lib/rpc/call_group.h"

namespace perigee {

CallGroup::Membership::Presence::Presence(CallGroup& g) : group(g) {
  const std::lock_guard lock(group.mutex_);
  ++group.present_;
}

CallGroup::Membership::Presence::~Presence() {
  const std::lock_guard lock(group.mutex_);
  --group.present_;
  group.changed_.notify_all();
}

CallGroup::Membership::Membership(CallGroup& group) : presence_(group) {
  const std::lock_guard lock(group.mutex_);
  group.cancellable_.insert(this);
  if (group.stopped_) context.TryCancel();
}

CallGroup::Membership::~Membership() {
  const std::lock_guard lock(presence_.group.mutex_);
  presence_.group.cancellable_.erase(this);
}

void CallGroup::Stop() {
  std::unique_lock lock(mutex_);
  stopped_ = true;
  for (Membership* call : cancellable_) call->context.TryCancel();
  changed_.wait(lock, [this] { return present_ == 0; });
}

}  // namespace perigee
