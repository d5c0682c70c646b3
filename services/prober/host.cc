#include "services/prober/host.h"

#include <ifaddrs.h>

#include <cerrno>
#include <cstring>
#include <memory>

#include "fmt/format.h"

namespace perigee {
namespace {

bool IsLoopback(const IpAddress& address) {
  static const IpPrefix v4 = *IpPrefix::Parse("127.0.0.0/8");
  static const IpPrefix v6 = *IpPrefix::Parse("::1");
  return v4.Contains(address) || v6.Contains(address);
}

}  // namespace

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
    if (address.ok() && !IsLoopback(*address)) addresses.push_back(*address);
  }
  return addresses;
}

}  // namespace perigee
