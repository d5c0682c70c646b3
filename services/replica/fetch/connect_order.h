// In which order the origin's addresses are tried (RFC 8305 §4): the families in turn, beginning with the one
// that the resolver prefers, and last those that have failed of late. Pure; belongs to one thread.
#pragma once

#include <chrono>
#include <vector>

#include "lib/base/address.h"
#include "lib/base/clock.h"

namespace perigee::replica {

class ConnectOrder {
 public:
  // The most addresses that are tried for one connection.
  static constexpr size_t kMaxAttempts = 6;
  // So long after it failed, an address is tried after those that have not.
  static constexpr std::chrono::seconds kFailedFor{30};
  // The most failures that are remembered; the oldest is forgotten first.
  static constexpr size_t kMaxFailed = 16;

  // The first of `addresses` in that order, kMaxAttempts at the most.
  std::vector<IpAddress> Of(const std::vector<IpAddress>& addresses, MonoTime now) const;

  void Failed(const IpAddress& address, MonoTime now);
  void Worked(const IpAddress& address);

 private:
  bool HasFailed(const IpAddress& address, MonoTime now) const;

  struct Failure {
    IpAddress address;
    MonoTime until;
  };
  std::vector<Failure> failed_;  // oldest first
};

}  // namespace perigee::replica
