#include "lib/net/host.h"

#include <ifaddrs.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <memory>

#include "fmt/format.h"

namespace perigee {
absl::StatusOr<std::vector<IpAddress>> OwnAddresses() {
  ifaddrs* list = nullptr;
  if (getifaddrs(&list) != 0) {
    return absl::InternalError(fmt::format("can't list this host's addresses: {}", std::strerror(errno)));
  }
  const std::unique_ptr<ifaddrs, decltype(&freeifaddrs)> owner(list, &freeifaddrs);
  std::vector<IpAddress> addresses;
  for (const ifaddrs* entry = list; entry != nullptr; entry = entry->ifa_next) {
    if (entry->ifa_addr == nullptr) continue;
    const auto address = IpAddress::FromSockaddr(entry->ifa_addr);
    if (address.ok() && !address->is_loopback()) addresses.push_back(*address);
  }
  return addresses;
}

bool HasIpv6() {
  const int fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return false;
  const sockaddr_in6 any{.sin6_family = AF_INET6};
  const bool bound = bind(fd, reinterpret_cast<const sockaddr*>(&any), sizeof(any)) == 0;
  close(fd);
  return bound;
}

}  // namespace perigee
