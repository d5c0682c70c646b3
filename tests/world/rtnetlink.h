// The few rtnetlink requests that bring a host's interfaces up (rtnetlink(7)), in the calling thread's
// network namespace at the time of Open. Not thread-safe.
#pragma once

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "lib/base/address.h"
#include "tests/world/frame.h"
#include "tests/world/system.h"

namespace perigee::world {

class Rtnetlink {
 public:
  static absl::StatusOr<Rtnetlink> Open();

  absl::Status LoopbackUp();
  // Up, with this hardware address and a queue of `queue_length` frames.
  absl::Status EthernetUp(unsigned interface, const MacAddress& mac, uint32_t queue_length);
  // As a host prefix (/32 or /128), usable at once: no duplicate address detection.
  absl::Status AddAddress(unsigned interface, const IpAddress& address);
  // A default route through a gateway that is on the link though no prefix says so.
  absl::Status AddDefaultRoute(unsigned interface, const IpAddress& gateway);

 private:
  explicit Rtnetlink(UniqueFd fd) : fd_(std::move(fd)) {}
  class Request;
  absl::Status Do(const Request& request, std::string_view what);

  UniqueFd fd_;
};

}  // namespace perigee::world
