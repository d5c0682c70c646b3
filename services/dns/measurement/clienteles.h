// Whose clients are whose: the client prefixes that beacons have shown to ask through a resolver
// (docs/adr/0032).
//
// Anybody can ask through a resolver that serves strangers, and forge its address. So a resolver has few
// seats, one for a prefix, and a network few of them: those who want to speak for its clients must be as many
// as they, and as far spread.
//
// Threads: one.
#pragma once

#include <chrono>
#include <list>
#include <optional>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "lib/base/address.h"
#include "lib/base/clock.h"

namespace perigee::dns {

// Beyond it the resolver whose last beacon is the oldest is forgotten.
inline constexpr size_t kMaxClienteles = 4'096;
inline constexpr size_t kSeats = 16;
// For one network as large as surroundings are (inference.h).
inline constexpr size_t kSeatsOfANetwork = 4;
// From its last beacon on.
inline constexpr auto kSeatLife = std::chrono::hours(24);

class Clienteles {
 public:
  // True when the client had no seat. It takes that of the one that came first, of its own network when that
  // has all of its.
  bool Join(const IpPrefix& resolver, const IpPrefix& client, MonoTime now);
  // Those who came within kSeatLife.
  std::vector<IpPrefix> Of(const IpPrefix& resolver, MonoTime now) const;
  // Through which the client came last.
  std::optional<IpPrefix> ResolverOf(const IpPrefix& client) const;

 private:
  struct Seat {
    IpPrefix client;
    MonoTime came;
  };
  struct Clientele {
    IpPrefix resolver;
    std::vector<Seat> seats;  // who came first is first
  };
  using Place = std::list<Clientele>::iterator;

  Clientele& Touch(const IpPrefix& resolver);
  void Leave(const IpPrefix& resolver, const IpPrefix& client);

  std::list<Clientele> all_;  // whose last beacon is the oldest is first
  absl::flat_hash_map<IpPrefix, Place> by_resolver_;
  absl::flat_hash_map<IpPrefix, IpPrefix> resolver_of_;
};

}  // namespace perigee::dns
