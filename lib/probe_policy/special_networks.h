// Client networks that a resolver tells of (RFC 7871) and that say nothing of where the client is: private
// ones and all others that address_policy.h calls special.
//
// RFC 7871 §10: an authoritative server ignores such a network, answers by the resolver's own address, and
// sets a scope that covers all of the relevant space: 8 for 10.1.2.0/24. Not 0, which would let the resolver
// give that answer to all of its clients, and overlap with the answers for their own networks (§7.2.1 forbids
// that).
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <vector>

#include "lib/base/address.h"

namespace perigee {

// Immutable, so it may be used from any thread.
class SpecialNetworks {
 public:
  // Nothing is special.
  SpecialNetworks() = default;
  // All that is special, but for what lies within `open`: networks that an operator names, to be probed or to
  // be served by a replica of his choice. As allow_special: "10.0.0.0/8" opens that, "0.0.0.0/0" opens
  // nothing.
  explicit SpecialNetworks(const std::vector<IpPrefix>& open);

  // Nothing when a network of `source_length` bits is a client's like any other, as judged by one address in
  // it. Else the scope of the answer: the length of the special range, or, where a part of the range is open,
  // `source_length` if that is longer. Allocates nothing; some comparisons.
  // Of an IPv6 address only the first 64 bits count: what is special or open by more of them is as what lies
  // around it. AddressPolicy still refuses to probe it.
  std::optional<int> ScopeFor(const IpAddress& address, int source_length) const;

 private:
  // From `first` on, up to the next one's.
  struct Interval {
    uint64_t first = 0;  // the first 64 bits of an IPv6 address, the 32 of an IPv4 one
    int length = 0;      // of the outermost special range around it; 0: a client's network like any other
    bool partly_open = false;
  };
  using Intervals = std::vector<Interval>;  // by address, the first at 0

  std::array<Intervals, 2> intervals_;  // [is_v6]
};

}  // namespace perigee
