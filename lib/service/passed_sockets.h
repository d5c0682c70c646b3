// Socket activation: the sockets that systemd, or another parent, has bound and passed on (sd_listen_fds(3):
// LISTEN_FDS, LISTEN_PID, LISTEN_FDNAMES), and which of a server's ports they serve.
//
// The parent keeps its copies, and hands the same sockets to the next process after a restart. So they are
// never shut down here, only closed.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "lib/base/address.h"
#include "lib/net/socket.h"

namespace perigee {

enum class Protocol { kUdp, kTcp };

// What a passed socket is bound to.
struct PassedSocket {
  int fd = -1;
  std::string name;  // systemd's FileDescriptorName=; for messages
  Protocol protocol{};
  IpEndpoint endpoint;
  bool dual_stack = false;  // IPv6, and IPv4 as well
};

// "UDP 0.0.0.0:53 (fd 3, dns.socket)"
std::string Describe(const PassedSocket& socket);

// The sockets that were passed to this process, none when none were. They become close-on-exec, and LISTEN_*
// leaves the environment: call it once, before any thread is started. InvalidArgument, naming the socket and
// what it is, when one is neither a bound UDP nor a listening TCP socket over IP, or when LISTEN_FDS is
// malformed.
absl::StatusOr<std::vector<PassedSocket>> TakePassedSockets();

// One port that a server is to serve, and the passed sockets that it has already. Without any it is to be
// bound.
struct PortPlan {
  Protocol protocol{};
  IpEndpoint endpoint;
  std::vector<int> passed_fds;
};

// Pure: which ports to serve for -p and --listen.
//   - `listen` empty: those of the passed sockets; where only one of UDP and TCP was passed, the other one is
//     to be bound. Without passed sockets `fallback` is listened on.
//   - otherwise each address, UDP and TCP, on its passed socket if there is one. A dual-stack wildcard socket
//     serves 0.0.0.0 and ::.
// `port` 0 takes passed sockets of any port. Several passed sockets of one port (ReusePort=) serve it
// together. InvalidArgument when a passed socket is not asked for, naming it.
absl::StatusOr<std::vector<PortPlan>> PlanPorts(const std::vector<IpAddress>& listen, uint16_t port,
                                                const std::vector<IpAddress>& fallback,
                                                const std::vector<PassedSocket>& passed);

}  // namespace perigee
