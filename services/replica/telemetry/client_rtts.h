// The RTTs of client connections, as the kernel saw them, kept for Replica.Watch. They say what no prober can
// of clients who answer neither a ping nor a handshake.
#pragma once

#include <cstddef>
#include <cstdint>
#include <mutex>
#include <vector>

#include "lib/base/address.h"
#include "lib/base/clock.h"

namespace perigee::replica {

struct PrefixRtt {
  IpPrefix prefix;
  Rtt least{};
  uint32_t connections = 0;
};

// Thread-safe: the lock is held for an assignment by who adds, once a connection.
class ClientRtts {
 public:
  // Connections remembered, and so the most that a report tells of; the oldest go first.
  static constexpr size_t kMaxSamples = 4'096;

  struct Report {
    std::vector<PrefixRtt> prefixes;  // each once, in the order of their prefixes
    uint64_t next = 0;                // for the next report: what is added from here on
    uint64_t missed = 0;              // connections that were forgotten before they could be told of
  };

  void Add(const IpAddress& client, Rtt rtt);

  // Of what was added from `since` on; 0 is the beginning.
  Report Since(uint64_t since) const;
  // What `next` would be.
  uint64_t now() const;

 private:
  struct Sample {
    IpAddress client;
    Rtt rtt{};
  };

  mutable std::mutex mutex_;  // of what follows
  std::vector<Sample> samples_;
  uint64_t added_ = 0;
};

}  // namespace perigee::replica
