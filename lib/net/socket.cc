#include "lib/net/socket.h"

#include <netinet/in.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstring>

#include "fmt/format.h"

namespace perigee {

absl::StatusOr<IpEndpoint> BoundEndpoint(int fd) {
  sockaddr_storage storage{};
  socklen_t size = sizeof(storage);
  if (getsockname(fd, reinterpret_cast<sockaddr*>(&storage), &size) != 0) {
    return absl::InternalError(fmt::format("getsockname: {}", std::strerror(errno)));
  }
  const auto address = IpAddress::FromSockaddr(reinterpret_cast<const sockaddr*>(&storage));
  if (!address.ok()) return address.status();
  const uint16_t port = storage.ss_family == AF_INET
                            ? reinterpret_cast<const sockaddr_in&>(storage).sin_port
                            : reinterpret_cast<const sockaddr_in6&>(storage).sin6_port;
  return IpEndpoint{*address, ntohs(port)};
}

}  // namespace perigee
