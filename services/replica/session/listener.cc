#include "services/replica/session/listener.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace perigee::replica {
namespace {

constexpr int kBacklog = 4'096;  // the kernel caps it at net.core.somaxconn

absl::Status SocketError(const IpEndpoint& endpoint, int error) {
  if (error == EADDRINUSE) {
    return absl::UnavailableError(fmt::format("{} is in use by another program", endpoint.ToString()));
  }
  const std::string message =
      fmt::format("cannot listen on {}: {}", endpoint.ToString(), std::strerror(error));
  if (error == EACCES) return absl::PermissionDeniedError(message);
  return absl::UnavailableError(message);
}

// A bound socket; -1 with errno.
int Bound(const IpEndpoint& endpoint, bool reuse_port) {
  sockaddr_storage address{};
  const uint32_t length = endpoint.address.ToSockaddr(endpoint.port, &address);
  const int fd = ::socket(address.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) return -1;
  const int on = 1;
  ::setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
  if (reuse_port) ::setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof(on));
  if (endpoint.address.is_v6()) ::setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on));
  if (::bind(fd, reinterpret_cast<const sockaddr*>(&address), length) == 0) return fd;
  const int error = errno;
  ::close(fd);
  errno = error;
  return -1;
}

uint16_t PortOf(int fd) {
  const auto bound = BoundEndpoint(fd);
  return bound.ok() ? bound->port : uint16_t{0};
}

}  // namespace

absl::StatusOr<int> ListenOn(const IpEndpoint& endpoint) {
  const int fd = Bound(endpoint, true);
  if (fd < 0) return SocketError(endpoint, errno);
  if (::listen(fd, kBacklog) == 0) return fd;
  const int error = errno;
  ::close(fd);
  return SocketError(endpoint, error);
}

absl::Status CheckUnused(const IpEndpoint& endpoint) {
  const int fd = Bound(endpoint, false);
  if (fd < 0) return SocketError(endpoint, errno);
  ::close(fd);
  return absl::OkStatus();
}

absl::StatusOr<Listening> ListenOnAll(std::vector<IpEndpoint> endpoints, int workers, bool share_port) {
  Listening all;
  for (IpEndpoint& endpoint : endpoints) {
    if (endpoint.port == 0) endpoint.port = all.port;
    if (absl::Status status = share_port ? absl::OkStatus() : CheckUnused(endpoint); !status.ok())
      return status;
    if (all.port != 0 || endpoint.port != 0) continue;
    // The port that the kernel gives is for all addresses and Workers: take it once to learn it.
    auto fd = ListenOn(endpoint);
    if (!fd.ok()) return fd.status();
    endpoint.port = all.port = PortOf(*fd);
    ::close(*fd);
  }
  all.port = endpoints.front().port;
  for (int i = 0; i < workers; ++i) {
    std::vector<perigee::Socket>& sockets = all.of_workers.emplace_back();
    for (const IpEndpoint& endpoint : endpoints) {
      auto fd = ListenOn(endpoint);
      if (!fd.ok()) return fd.status();
      sockets.emplace_back(*fd);
    }
  }
  return all;
}

absl::StatusOr<Listening> ShareOut(const std::vector<int>& fds, int workers) {
  Listening all{.port = PortOf(fds.front()), .passed = true, .of_workers = {}};
  for (int i = 0; i < workers; ++i) {
    std::vector<perigee::Socket>& sockets = all.of_workers.emplace_back();
    for (const int fd : fds) {
      const int copy = ::fcntl(fd, F_DUPFD_CLOEXEC, 0);
      if (copy < 0)
        return absl::ResourceExhaustedError(fmt::format("no descriptor: {}", std::strerror(errno)));
      sockets.emplace_back(copy);
    }
  }
  return all;
}

}  // namespace perigee::replica
