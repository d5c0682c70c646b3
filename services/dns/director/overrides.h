// Networks whose replica an operator set: longest prefix match. Immutable, so any thread may look.
#pragma once

#include <cstddef>
#include <optional>
#include <vector>

#include "lib/base/address.h"
#include "services/dns/steering/client_key.h"
#include "services/dns/steering/replica.h"

namespace perigee::dns {

struct Override {
  IpPrefix prefix;
  ReplicaId replica{};
};

class Overrides {
 public:
  Overrides() = default;
  // Prefixes are unique.
  explicit Overrides(std::vector<Override> overrides);

  bool empty() const { return entries_.empty(); }
  // The longest that holds the address. Logarithmic, plus the depth to which prefixes contain each other.
  const Override* Find(const IpAddress& address) const;
  // How long a prefix of the client's an answer is good for, given what Find said of its address. The key's
  // length or the override's own; the length of an override inside, when there is one, for then some of that
  // network are answered differently (RFC 7871 §7.2.1: a scope longer than the source says so).
  int ScopeFor(const ClientKey& client, const Override* found) const;

 private:
  struct Entry {
    Override override;
    size_t parent;  // the longest that contains it; its own index when there is none
  };
  std::optional<int> LengthWithin(const IpPrefix& prefix) const;

  std::vector<Entry> entries_;  // by address, the shorter of one address first
};

}  // namespace perigee::dns
