// How many connections one client may hold, and how many exchanges with the origin it may have under way: an
// IPv4 address, or a /64 of IPv6, which is one customer's.
#pragma once

#include <cstddef>
#include <mutex>
#include <optional>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "lib/base/address.h"

namespace perigee::replica {

// Thread-safe: the lock is held for one look-up, twice for each. It remembers only whom it counts.
class AddressLimit {
 public:
  // One of them, for as long as it lives. The AddressLimit must outlive it.
  class Place {
   public:
    Place(Place&& other) noexcept : limit_(std::exchange(other.limit_, nullptr)), client_(other.client_) {}
    Place& operator=(Place&&) = delete;
    ~Place() {
      if (limit_ != nullptr) limit_->Leave(client_);
    }

   private:
    friend class AddressLimit;
    Place(AddressLimit* limit, const IpPrefix& client) : limit_(limit), client_(client) {}
    AddressLimit* limit_;  // null: not counted
    IpPrefix client_;
  };

  explicit AddressLimit(size_t most) : most_(most) {}

  // Nothing when `client` holds as many as it may. Those of this host itself (loopback) are not counted:
  // health checks, Replica.Warm, and what ends TLS for everybody.
  std::optional<Place> Enter(const IpAddress& client);

 private:
  void Leave(const IpPrefix& client);

  const size_t most_;
  std::mutex mutex_;
  absl::flat_hash_map<IpPrefix, size_t> held_;  // none of them 0
};

}  // namespace perigee::replica
