// Listening sockets: one per address and Worker, shared by SO_REUSEPORT.
#pragma once

#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "lib/base/address.h"
#include "lib/net/socket.h"
#include "services/replica/io/asio.h"

namespace perigee::replica {

// A non-blocking listening socket's descriptor, with SO_REUSEPORT. IPv6 sockets take IPv6 only. Errors:
// Unavailable (the port is in use; PermissionDenied below 1024 without the right), naming the address.
absl::StatusOr<int> ListenOn(const IpEndpoint& endpoint);

// SO_REUSEPORT would let a second server of the same user share the port in silence: this tells whether
// anybody listens there already.
absl::Status CheckUnused(const IpEndpoint& endpoint);

// For each Worker, one listening socket per address.
struct Listening {
  uint16_t port = 0;    // of the first address
  bool passed = false;  // the sockets are another's too, who keeps them open
  std::vector<std::vector<perigee::Socket>> of_workers;
};

// Takes addresses that nobody listens on, or, with `share_port`, nobody but programs of the same user that
// set SO_REUSEPORT too; those with port 0 share one that the kernel chooses. No thread is started. Errors as
// above.
absl::StatusOr<Listening> ListenOnAll(std::vector<IpEndpoint> endpoints, int workers,
                                      bool share_port = false);

// Each of these listening sockets for all Workers. They stay open. Errors: ResourceExhausted.
absl::StatusOr<Listening> ShareOut(const std::vector<int>& fds, int workers);

}  // namespace perigee::replica
