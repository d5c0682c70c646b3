// Which resolver asked for which beacon: a small table that forgets (docs/adr/0032).
//
// Threads: one.
#pragma once

#include <chrono>
#include <deque>
#include <optional>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "lib/base/address.h"
#include "lib/base/beacon_token.h"
#include "lib/base/clock.h"

namespace perigee::dns {

// Beyond it the one asked for first is forgotten.
inline constexpr size_t kMaxBeaconTokens = 16'384;
// From the query to the connection that a replica tells of.
inline constexpr auto kBeaconTokenLife = std::chrono::seconds(60);

class BeaconTokens {
 public:
  // The first who asks counts: nobody else can have heard of it by then.
  void Note(const BeaconToken& token, const IpPrefix& resolver, MonoTime now);
  // Who asked for it. It is good for one connection.
  std::optional<IpPrefix> Take(const BeaconToken& token, MonoTime now);

  size_t size() const { return by_token_.size(); }

 private:
  struct Asked {
    IpPrefix by;
    MonoTime at;
  };

  void ForgetOldest();

  absl::flat_hash_map<BeaconToken, Asked> by_token_;
  std::deque<std::pair<MonoTime, BeaconToken>> in_order_;  // also those that were taken meanwhile
};

}  // namespace perigee::dns
