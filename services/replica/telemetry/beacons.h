// Clients that came for beacons (docs/adr/0032), kept for Replica.Watch: who reports them knows which
// resolver asked.
#pragma once

#include <cstddef>
#include <cstdint>
#include <mutex>
#include <vector>

#include "lib/base/address.h"
#include "lib/base/beacon_token.h"

namespace perigee::replica {

struct Beacon {
  IpAddress client;
  BeaconToken token;
};

// Thread-safe.
class Beacons {
 public:
  // Remembered, and so the most that a report tells of; the oldest go first.
  static constexpr size_t kMax = 256;

  struct Report {
    std::vector<Beacon> beacons;  // in the order of coming
    uint64_t next = 0;            // for the next report: what is added from here on
  };

  void Add(Beacon beacon);

  // What was added from `since` on; 0 is the beginning.
  Report Since(uint64_t since) const;
  // What `next` would be.
  uint64_t now() const;

 private:
  mutable std::mutex mutex_;  // of what follows
  std::vector<Beacon> latest_;
  uint64_t added_ = 0;
};

}  // namespace perigee::replica
