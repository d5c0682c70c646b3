#include "tests/world/rtnetlink.h"

#include <linux/if_addr.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <span>

#include "fmt/format.h"

namespace perigee::world {

// One netlink message under construction: a header, a fixed body, attributes.
class Rtnetlink::Request {
 public:
  template <typename Body>
  Request(uint16_t type, uint16_t flags, const Body& body) {
    header().nlmsg_type = type;
    header().nlmsg_flags = static_cast<uint16_t>(NLM_F_REQUEST | NLM_F_ACK | flags);
    header().nlmsg_len = NLMSG_LENGTH(sizeof body);
    std::memcpy(NLMSG_DATA(&header()), &body, sizeof body);
  }

  Request& Attribute(uint16_t type, std::span<const uint8_t> value) {
    const size_t at = NLMSG_ALIGN(header().nlmsg_len);
    const auto length = static_cast<uint16_t>(RTA_LENGTH(value.size()));
    const rtattr attribute{.rta_len = length, .rta_type = type};
    std::memcpy(&bytes_[at], &attribute, sizeof attribute);
    std::memcpy(&bytes_[at + RTA_LENGTH(0)], value.data(), value.size());
    header().nlmsg_len = static_cast<uint32_t>(at + RTA_ALIGN(length));
    return *this;
  }

  Request& Attribute(uint16_t type, uint32_t value) {
    std::array<uint8_t, sizeof value> bytes{};
    std::memcpy(bytes.data(), &value, sizeof value);
    return Attribute(type, bytes);
  }

  std::span<const uint8_t> bytes() const {
    return {bytes_.data(), reinterpret_cast<const nlmsghdr*>(bytes_.data())->nlmsg_len};
  }

 private:
  nlmsghdr& header() { return *reinterpret_cast<nlmsghdr*>(bytes_.data()); }

  alignas(nlmsghdr) std::array<uint8_t, 256> bytes_{};  // the largest request below takes 76
};

namespace {

uint8_t Family(const IpAddress& address) { return address.is_v4() ? AF_INET : AF_INET6; }

}  // namespace

absl::StatusOr<Rtnetlink> Rtnetlink::Open() {
  UniqueFd fd(socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE));
  if (!fd.valid()) return ErrnoStatus("opening a netlink socket");
  return Rtnetlink(std::move(fd));
}

absl::Status Rtnetlink::LoopbackUp() {
  const ifinfomsg body{.ifi_index = 1, .ifi_flags = IFF_UP, .ifi_change = IFF_UP};
  return Do(Request(RTM_NEWLINK, 0, body), "bringing lo up");
}

absl::Status Rtnetlink::EthernetUp(unsigned interface, const MacAddress& mac, uint32_t queue_length) {
  const ifinfomsg body{.ifi_index = static_cast<int>(interface), .ifi_flags = IFF_UP, .ifi_change = IFF_UP};
  Request request(RTM_NEWLINK, 0, body);
  request.Attribute(IFLA_ADDRESS, mac).Attribute(IFLA_TXQLEN, queue_length);
  return Do(request, "bringing the interface up");
}

absl::Status Rtnetlink::AddAddress(unsigned interface, const IpAddress& address) {
  const ifaddrmsg body{.ifa_family = Family(address),
                       .ifa_prefixlen = static_cast<uint8_t>(address.bit_length()),
                       .ifa_flags = IFA_F_NODAD,
                       .ifa_index = interface};
  Request request(RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL, body);
  request.Attribute(IFA_LOCAL, address.bytes()).Attribute(IFA_ADDRESS, address.bytes());
  return Do(request, fmt::format("adding {}", address.ToString()));
}

absl::Status Rtnetlink::AddDefaultRoute(unsigned interface, const IpAddress& gateway) {
  const rtmsg body{.rtm_family = Family(gateway),
                   .rtm_table = RT_TABLE_MAIN,
                   .rtm_protocol = RTPROT_STATIC,
                   .rtm_scope = RT_SCOPE_UNIVERSE,
                   .rtm_type = RTN_UNICAST,
                   .rtm_flags = RTNH_F_ONLINK};
  Request request(RTM_NEWROUTE, NLM_F_CREATE | NLM_F_EXCL, body);
  request.Attribute(RTA_GATEWAY, gateway.bytes()).Attribute(RTA_OIF, interface);
  return Do(request, fmt::format("adding the default route via {}", gateway.ToString()));
}

absl::Status Rtnetlink::Do(const Request& request, std::string_view what) {
  const auto bytes = request.bytes();
  if (send(fd_.get(), bytes.data(), bytes.size(), 0) < 0) return ErrnoStatus(what);
  alignas(nlmsghdr) std::array<uint8_t, 4096> answer{};
  const ssize_t n = recv(fd_.get(), answer.data(), answer.size(), 0);
  if (n < 0) return ErrnoStatus(what);
  const auto* header = reinterpret_cast<const nlmsghdr*>(answer.data());
  if (!NLMSG_OK(header, static_cast<size_t>(n)) || header->nlmsg_type != NLMSG_ERROR) {
    return absl::InternalError(fmt::format("{}: netlink answered with something else", what));
  }
  errno = -static_cast<const nlmsgerr*>(NLMSG_DATA(header))->error;
  return errno == 0 ? absl::OkStatus() : ErrnoStatus(what);
}

}  // namespace perigee::world
