#include "services/replica/address_limit.h"

namespace perigee::replica {
namespace {

constexpr int kV6Customer = 64;

}  // namespace

std::optional<AddressLimit::Place> AddressLimit::Enter(const IpAddress& client) {
  if (client.is_loopback()) return Place(nullptr, {});
  const IpPrefix prefix(client, client.is_v4() ? client.bit_length() : kV6Customer);
  const std::lock_guard lock(mutex_);
  size_t& held = held_[prefix];
  if (held == most_) return std::nullopt;
  ++held;
  return Place(this, prefix);
}

void AddressLimit::Leave(const IpPrefix& client) {
  const std::lock_guard lock(mutex_);
  const auto at = held_.find(client);
  if (--at->second == 0) held_.erase(at);
}

}  // namespace perigee::replica
