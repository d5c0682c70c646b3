#include "services/replica/fetch/connect_order.h"

#include <algorithm>

namespace perigee::replica {

std::vector<IpAddress> ConnectOrder::Of(const std::vector<IpAddress>& addresses, MonoTime now) const {
  std::vector<IpAddress> order;
  order.reserve(addresses.size());
  const auto is_first_family = [&](const IpAddress& a) { return a.is_v6() == addresses.front().is_v6(); };
  auto one = addresses.begin(), other = addresses.begin();
  while (one != addresses.end() || other != addresses.end()) {
    one = std::find_if(one, addresses.end(), is_first_family);
    if (one != addresses.end()) order.push_back(*one++);
    other = std::find_if_not(other, addresses.end(), is_first_family);
    if (other != addresses.end()) order.push_back(*other++);
  }
  std::stable_partition(order.begin(), order.end(),
                        [&](const IpAddress& address) { return !HasFailed(address, now); });
  if (order.size() > kMaxAttempts) order.resize(kMaxAttempts);
  return order;
}

void ConnectOrder::Failed(const IpAddress& address, MonoTime now) {
  Worked(address);
  if (failed_.size() == kMaxFailed) failed_.erase(failed_.begin());
  failed_.push_back({.address = address, .until = now + kFailedFor});
}

void ConnectOrder::Worked(const IpAddress& address) {
  std::erase_if(failed_, [&](const Failure& failure) { return failure.address == address; });
}

bool ConnectOrder::HasFailed(const IpAddress& address, MonoTime now) const {
  return std::any_of(failed_.begin(), failed_.end(), [&](const Failure& failure) {
    return failure.address == address && now < failure.until;
  });
}

}  // namespace perigee::replica
