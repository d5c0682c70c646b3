#include "services/dns/measurement/beacon_tokens.h"

namespace perigee::dns {

void BeaconTokens::Note(const BeaconToken& token, const IpPrefix& resolver, MonoTime now) {
  while (!in_order_.empty() && now - in_order_.front().first > kBeaconTokenLife) ForgetOldest();
  if (!by_token_.try_emplace(token, Asked{resolver, now}).second) return;
  in_order_.emplace_back(now, token);
  if (in_order_.size() > kMaxBeaconTokens) ForgetOldest();
}

// One that was taken may have been asked for again.
void BeaconTokens::ForgetOldest() {
  const auto& [at, token] = in_order_.front();
  const auto found = by_token_.find(token);
  if (found != by_token_.end() && found->second.at == at) by_token_.erase(found);
  in_order_.pop_front();
}

std::optional<IpPrefix> BeaconTokens::Take(const BeaconToken& token, MonoTime now) {
  const auto found = by_token_.find(token);
  if (found == by_token_.end()) return std::nullopt;
  const Asked asked = found->second;
  by_token_.erase(found);
  return now - asked.at <= kBeaconTokenLife ? std::optional(asked.by) : std::nullopt;
}

}  // namespace perigee::dns
