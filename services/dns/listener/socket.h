// Bound sockets for the listeners, and the words for why one could not be had.
#pragma once

#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "lib/base/address.h"
#include "lib/net/socket.h"
#include "lib/service/passed_sockets.h"

namespace perigee::dns {

enum class Sharing {
  kFirst,  // refuses a port that anybody has already; later sockets of ours may join it
  kJoin,   // shares the port with a kFirst socket (SO_REUSEPORT)
};

// A UDP socket whose reads end with EAGAIN after a second without a datagram; on a wildcard address it
// reports the address each query came to. Its answers are never fragmented (RFC 9715 §3.1): they carry DF,
// their size fits nearly every path, and path MTUs that a stranger could forge are ignored
// (PMTUDISC_PROBE). An IPv6 socket takes IPv6 only. Errors name protocol and address:
// Unavailable when the port is in use, PermissionDenied when it needs a privilege, Unimplemented when the
// machine lacks the address family, else FailedPrecondition.
absl::StatusOr<Socket> BindUdp(const IpEndpoint& address, Sharing sharing);

// A listening, non-blocking TCP socket. Errors as above.
absl::StatusOr<Socket> ListenTcp(const IpEndpoint& address);

// A port that is ready to be served; whoever holds it owns its sockets.
struct OpenPort {
  IpEndpoint endpoint;          // with its real port
  std::vector<Socket> sockets;  // at least one
  // By a parent that keeps them: close them, but never shut them down, for the next process gets them too.
  bool passed = false;
};

// Opens what is planned: `sockets` bound sockets that share the port, or those that were passed, made to
// behave as ours do (blocking, path MTU, where each query came to). Errors as above.
absl::StatusOr<OpenPort> OpenUdpPort(const PortPlan& plan, int sockets);
// The same; a single listening socket, or those that were passed.
absl::StatusOr<OpenPort> OpenTcpPort(const PortPlan& plan);

}  // namespace perigee::dns
