#include "tests/world/host_setup.h"

#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <sys/ioctl.h>

#include "fmt/format.h"
#include "tests/world/namespaces.h"
#include "tests/world/rtnetlink.h"

namespace perigee::world {
namespace {

// Link-local, so that it is on the link of every host.
constexpr std::string_view kGatewayIpv6 = "fe80::1";

absl::StatusOr<UniqueFd> OpenTap() {
  UniqueFd fd(open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC));
  if (!fd.valid()) return ErrnoStatus("/dev/net/tun (is the tun module there, and are you root?)");
  ifreq request{};
  std::strncpy(request.ifr_name, kInterface, IFNAMSIZ - 1);
  request.ifr_flags = IFF_TAP | IFF_NO_PI;
  if (ioctl(fd.get(), TUNSETIFF, &request) != 0) return ErrnoStatus("making a TAP device");
  return fd;
}

absl::Status Sysctl(std::string_view name, std::string_view value) {
  return WriteFile(fmt::format("/proc/sys/net/{}", name), value);
}

// Before the interface is up, so that the kernel sends nothing of its own accord.
absl::Status QuietIpv6(bool wanted) {
  const std::string conf = fmt::format("ipv6/conf/{}/", kInterface);
  if (!wanted) {
    const absl::Status status = Sysctl(conf + "disable_ipv6", "1");
    return absl::IsNotFound(status) ? absl::OkStatus() : status;  // a kernel without IPv6
  }
  for (const auto& [name, value] :
       {std::pair{"accept_dad", "0"}, {"accept_ra", "0"}, {"addr_gen_mode", "1"}}) {
    if (auto status = Sysctl(conf + name, value); !status.ok()) return status;
  }
  return absl::OkStatus();
}

absl::Status Configure(const Host& host, HostId id) {
  // Unprivileged echo sockets for everyone in the host: ping and probers need no capability.
  if (auto status = Sysctl("ipv4/ping_group_range", "0 2147483647"); !status.ok()) return status;
  if (auto status = QuietIpv6(host.ipv6.has_value()); !status.ok()) return status;
  auto netlink = Rtnetlink::Open();
  if (!netlink.ok()) return netlink.status();
  const unsigned interface = if_nametoindex(kInterface);
  if (auto status = netlink->LoopbackUp(); !status.ok()) return status;
  auto status = netlink->EthernetUp(interface, HostMac(static_cast<uint16_t>(id)), kTapQueueLength);
  if (!status.ok()) return status;
  const auto add = [&](const IpAddress& address, std::string_view gateway) {
    if (auto added = netlink->AddAddress(interface, address); !added.ok()) return added;
    return netlink->AddDefaultRoute(interface, *IpAddress::Parse(gateway));
  };
  if (status = add(host.ipv4, kGatewayIpv4); !status.ok() || !host.ipv6) return status;
  return add(*host.ipv6, kGatewayIpv6);
}

}  // namespace

absl::StatusOr<UniqueFd> BringUpHost(const Host& host, HostId id) {
  if (auto status = CreateNamespaceAndEnter(host.name); !status.ok()) return status;
  auto tap = OpenTap();
  if (!tap.ok()) return tap.status();
  if (auto status = Configure(host, id); !status.ok()) return status;
  return tap;
}

}  // namespace perigee::world
