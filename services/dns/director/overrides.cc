#include "services/dns/director/overrides.h"

#include <algorithm>

namespace perigee::dns {

Overrides::Overrides(std::vector<Override> overrides) {
  const auto by_prefix = [](const Override& a, const Override& b) { return a.prefix < b.prefix; };
  std::sort(overrides.begin(), overrides.end(), by_prefix);
  for (const Override& added : overrides) {
    const size_t self = entries_.size();
    size_t parent = self;
    // Whatever contains it is before it: the one just before, or one that contains that.
    for (size_t at = self; at > 0; at = entries_[at - 1].parent + 1) {
      if (entries_[at - 1].override.prefix.Contains(added.prefix.address())) {
        parent = at - 1;
        break;
      }
      if (entries_[at - 1].parent == at - 1) break;
    }
    entries_.push_back({added, parent});
  }
}

const Override* Overrides::Find(const IpAddress& address) const {
  const IpPrefix host(address, address.bit_length());
  const auto after =
      std::upper_bound(entries_.begin(), entries_.end(), host,
                       [](const IpPrefix& p, const Entry& e) { return p < e.override.prefix; });
  if (after == entries_.begin()) return nullptr;
  for (size_t at = static_cast<size_t>(after - entries_.begin()) - 1;; at = entries_[at].parent) {
    if (entries_[at].override.prefix.Contains(address)) return &entries_[at].override;
    if (entries_[at].parent == at) return nullptr;
  }
}

// Of the first override that lies in `prefix` and is longer.
std::optional<int> Overrides::LengthWithin(const IpPrefix& prefix) const {
  const auto after =
      std::upper_bound(entries_.begin(), entries_.end(), prefix,
                       [](const IpPrefix& p, const Entry& e) { return p < e.override.prefix; });
  if (after == entries_.end() || !prefix.Contains(after->override.prefix.address())) return std::nullopt;
  return after->override.prefix.length();
}

int Overrides::ScopeFor(const ClientKey& client, const Override* found) const {
  if (entries_.empty()) return client.prefix.length();
  int length = client.prefix.length();
  if (found != nullptr) {
    if (!LengthWithin(found->prefix)) return found->prefix.length();
    length = std::max(length, found->prefix.length());
  }
  return LengthWithin(IpPrefix(client.address, length)).value_or(length);
}

}  // namespace perigee::dns
