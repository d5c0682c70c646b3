#include "services/dns/listener/socket.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <cstring>

#include "fmt/format.h"

namespace perigee::dns {
namespace {

constexpr int kSocketBuffer = 1 << 20;  // octets each way; the kernel may grant less
constexpr int kTcpBacklog = 511;
// How often an idle UDP thread wakes to look around.
constexpr timeval kReceiveTimeout{.tv_sec = 1, .tv_usec = 0};

absl::StatusCode CodeFor(int error) {
  switch (error) {
    case EADDRINUSE:
      return absl::StatusCode::kUnavailable;
    case EACCES:
    case EPERM:
      return absl::StatusCode::kPermissionDenied;
    case EAFNOSUPPORT:
      return absl::StatusCode::kUnimplemented;
    default:
      return absl::StatusCode::kFailedPrecondition;
  }
}

std::string_view HintFor(int error) {
  switch (error) {
    case EADDRINUSE:
      return "; is another server running there?";
    case EACCES:
    case EPERM:
      return "; a port below 1024 needs root or CAP_NET_BIND_SERVICE";
    default:
      return "";
  }
}

absl::Status ListenError(std::string_view protocol, const IpEndpoint& address, int error) {
  const std::string text = fmt::format("cannot listen on {} {}: {}{}", protocol, address.ToString(),
                                       std::strerror(error), HintFor(error));
  return absl::Status(CodeFor(error), text);
}

bool SetOption(const Socket& socket, int level, int name, int value) {
  return setsockopt(socket.fd(), level, name, &value, sizeof(value)) == 0;
}

bool Bind(const Socket& socket, const IpEndpoint& address) {
  sockaddr_storage storage;
  const socklen_t size = address.address.ToSockaddr(address.port, &storage);
  return bind(socket.fd(), reinterpret_cast<const sockaddr*>(&storage), size) == 0;
}

bool SetUdpOptions(const Socket& socket, const IpAddress& address) {
  // Buffers are a wish: their size does not decide whether the server works.
  SetOption(socket, SOL_SOCKET, SO_RCVBUF, kSocketBuffer);
  SetOption(socket, SOL_SOCKET, SO_SNDBUF, kSocketBuffer);
  if (setsockopt(socket.fd(), SOL_SOCKET, SO_RCVTIMEO, &kReceiveTimeout, sizeof(kReceiveTimeout)) != 0)
    return false;
  // Any other socket sends from the one address that it is bound to, and saves the kernel the work.
  const int wildcard = address == IpAddress() || address == IpAddress::V6(std::array<uint8_t, 16>{}) ? 1 : 0;
  if (address.is_v4()) {
    return SetOption(socket, IPPROTO_IP, IP_PKTINFO, wildcard) &&
           SetOption(socket, IPPROTO_IP, IP_MTU_DISCOVER, IP_PMTUDISC_PROBE);
  }
  return SetOption(socket, IPPROTO_IPV6, IPV6_RECVPKTINFO, wildcard) &&
         SetOption(socket, IPPROTO_IPV6, IPV6_MTU_DISCOVER, IPV6_PMTUDISC_PROBE);
}

bool SetV6Only(const Socket& socket, const IpAddress& address) {
  return address.is_v4() || SetOption(socket, IPPROTO_IPV6, IPV6_V6ONLY, 1);
}

bool SetBlocking(const Socket& socket, bool blocking) {
  const int flags = fcntl(socket.fd(), F_GETFL);
  return flags >= 0 && fcntl(socket.fd(), F_SETFL, blocking ? flags & ~O_NONBLOCK : flags | O_NONBLOCK) == 0;
}

// A dual-stack socket sends IPv4 too, with IPv4's options.
bool AdoptUdp(const Socket& socket, const IpEndpoint& bound) {
  if (!SetBlocking(socket, true) || !SetUdpOptions(socket, bound.address)) return false;
  return bound.address.is_v4() || SetOption(socket, IPPROTO_IP, IP_MTU_DISCOVER, IP_PMTUDISC_PROBE);
}

// SO_REUSEPORT alone would let a second server of the same user share the port in silence. So the first
// socket binds without it, and allows it afterwards for those that join.
bool BindShared(const Socket& socket, const IpEndpoint& address, Sharing sharing) {
  if (sharing == Sharing::kJoin) {
    return SetOption(socket, SOL_SOCKET, SO_REUSEPORT, 1) && Bind(socket, address);
  }
  return Bind(socket, address) && SetOption(socket, SOL_SOCKET, SO_REUSEPORT, 1);
}

absl::Status Keep(Socket socket, OpenPort* port) {
  const auto bound = BoundEndpoint(socket.fd());
  if (!bound.ok()) return bound.status();
  port->endpoint = *bound;
  port->sockets.push_back(std::move(socket));
  return absl::OkStatus();
}

int Family(const IpEndpoint& address) { return address.address.is_v4() ? AF_INET : AF_INET6; }

}  // namespace

absl::StatusOr<Socket> BindUdp(const IpEndpoint& address, Sharing sharing) {
  Socket socket(::socket(Family(address), SOCK_DGRAM | SOCK_CLOEXEC, 0));
  if (socket.fd() < 0 || !SetV6Only(socket, address.address) || !SetUdpOptions(socket, address.address) ||
      !BindShared(socket, address, sharing)) {
    return ListenError("UDP", address, errno);
  }
  return socket;
}

absl::StatusOr<Socket> ListenTcp(const IpEndpoint& address) {
  Socket socket(::socket(Family(address), SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (socket.fd() < 0 || !SetOption(socket, SOL_SOCKET, SO_REUSEADDR, 1) ||
      !SetV6Only(socket, address.address) || !Bind(socket, address) ||
      listen(socket.fd(), kTcpBacklog) != 0) {
    return ListenError("TCP", address, errno);
  }
  return socket;
}

absl::StatusOr<OpenPort> OpenUdpPort(const PortPlan& plan, int sockets) {
  OpenPort port{.endpoint = plan.endpoint, .passed = !plan.passed_fds.empty()};
  for (const int fd : plan.passed_fds) {
    port.sockets.emplace_back(fd);
    if (!AdoptUdp(port.sockets.back(), plan.endpoint)) return ListenError("UDP", plan.endpoint, errno);
  }
  while (!port.passed && static_cast<int>(port.sockets.size()) < sockets) {
    auto socket = BindUdp(port.endpoint, port.sockets.empty() ? Sharing::kFirst : Sharing::kJoin);
    if (!socket.ok()) return socket.status();
    if (absl::Status status = Keep(*std::move(socket), &port); !status.ok()) return status;
  }
  return port;
}

absl::StatusOr<OpenPort> OpenTcpPort(const PortPlan& plan) {
  OpenPort port{.endpoint = plan.endpoint, .passed = !plan.passed_fds.empty()};
  for (const int fd : plan.passed_fds) {
    port.sockets.emplace_back(fd);
    if (!SetBlocking(port.sockets.back(), false)) return ListenError("TCP", plan.endpoint, errno);
  }
  if (port.passed) return port;
  auto socket = ListenTcp(plan.endpoint);
  if (!socket.ok()) return socket.status();
  if (absl::Status status = Keep(*std::move(socket), &port); !status.ok()) return status;
  return port;
}

}  // namespace perigee::dns
