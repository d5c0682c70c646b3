#include "lib/service/passed_sockets.h"

#include <netinet/in.h>
#include <sys/socket.h>
#include <systemd/sd-daemon.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <cstring>
#include <set>

#include "fmt/format.h"

namespace perigee {
namespace {

const IpAddress kAnyV6 = IpAddress::V6(std::array<uint8_t, 16>{});

constexpr std::string_view Word(Protocol protocol) { return protocol == Protocol::kUdp ? "UDP" : "TCP"; }

// -1 when it is no socket.
int Option(int fd, int level, int name) {
  int value = 0;
  socklen_t size = sizeof(value);
  return getsockopt(fd, level, name, &value, &size) == 0 ? value : -1;
}

std::string Place(int fd, const std::string& name) {
  return name.empty() ? fmt::format("fd {}", fd) : fmt::format("fd {}, {}", fd, name);
}

// What keeps it from being one of ours; empty when nothing does.
std::string WhatIsWrong(int fd) {
  const int family = Option(fd, SOL_SOCKET, SO_DOMAIN);
  if (family < 0) return "is not a socket";
  if (family == AF_UNIX) return "is a unix socket";
  if (family != AF_INET && family != AF_INET6) return fmt::format("is a socket of family {}", family);
  const int protocol = Option(fd, SOL_SOCKET, SO_PROTOCOL);
  if (protocol == IPPROTO_UDP) return "";
  if (protocol != IPPROTO_TCP) return fmt::format("is a socket of protocol {}", protocol);
  return Option(fd, SOL_SOCKET, SO_ACCEPTCONN) == 1 ? "" : "is a TCP socket that does not listen";
}

absl::StatusOr<PassedSocket> Examine(int fd, const std::string& name) {
  std::string wrong = WhatIsWrong(fd);
  PassedSocket socket{.fd = fd, .name = name};
  if (wrong.empty()) {
    const auto endpoint = BoundEndpoint(fd);
    if (!endpoint.ok()) return endpoint.status();
    socket.endpoint = *endpoint;
    if (endpoint->port == 0) wrong = "is a UDP socket that is not bound";
  }
  if (!wrong.empty()) {
    return absl::InvalidArgumentError(
        fmt::format("the passed socket ({}) {}: only bound UDP and listening TCP sockets are taken "
                    "(ListenDatagram= and ListenStream= with an IP address)",
                    Place(fd, name), wrong));
  }
  if (Option(fd, SOL_SOCKET, SO_PROTOCOL) == IPPROTO_TCP) socket.protocol = Protocol::kTcp;
  socket.dual_stack = socket.endpoint.address == kAnyV6 && Option(fd, IPPROTO_IPV6, IPV6_V6ONLY) == 0;
  return socket;
}

// What sd_listen_fds_with_names allocates: a list of strings that ends with a null pointer.
struct Names {
  char** list = nullptr;
  ~Names() {
    for (char** name = list; name != nullptr && *name != nullptr; ++name) free(*name);
    free(list);
  }
};

bool Covers(const PassedSocket& passed, const IpEndpoint& asked) {
  if (asked.port != 0 && asked.port != passed.endpoint.port) return false;
  return passed.endpoint.address == asked.address || (passed.dual_stack && asked.address == IpAddress());
}

std::vector<IpEndpoint> WhatIsAsked(const std::vector<IpAddress>& listen, uint16_t port,
                                    const std::vector<IpAddress>& fallback,
                                    const std::vector<PassedSocket>& passed) {
  std::vector<IpEndpoint> asked;
  const auto ask = [&](const IpAddress& address, uint16_t at) {
    if (std::find(asked.begin(), asked.end(), IpEndpoint{address, at}) == asked.end())
      asked.push_back({address, at});
  };
  if (!listen.empty() || passed.empty()) {
    for (const IpAddress& address : listen.empty() ? fallback : listen) ask(address, port);
    return asked;
  }
  for (const PassedSocket& socket : passed) {
    const uint16_t at = port == 0 ? socket.endpoint.port : port;
    ask(socket.endpoint.address, at);
    if (socket.dual_stack) ask(IpAddress(), at);
  }
  return asked;
}

}  // namespace

std::string Describe(const PassedSocket& socket) {
  return fmt::format("{} {} ({})", Word(socket.protocol), socket.endpoint.ToString(),
                     Place(socket.fd, socket.name));
}

absl::StatusOr<std::vector<PassedSocket>> TakePassedSockets() {
  Names names;
  const int count = sd_listen_fds_with_names(/*unset_environment=*/1, &names.list);
  if (count < 0)
    return absl::InvalidArgumentError(fmt::format("LISTEN_FDS or LISTEN_PID: {}", std::strerror(-count)));
  std::vector<PassedSocket> sockets;
  for (int i = 0; i < count; ++i) {
    auto socket = Examine(SD_LISTEN_FDS_START + i, names.list == nullptr ? "" : names.list[i]);
    if (!socket.ok()) return socket.status();
    sockets.push_back(*std::move(socket));
  }
  return sockets;
}

absl::StatusOr<std::vector<PortPlan>> PlanPorts(const std::vector<IpAddress>& listen, uint16_t port,
                                                const std::vector<IpAddress>& fallback,
                                                const std::vector<PassedSocket>& passed) {
  std::vector<PortPlan> plans;
  std::set<int> used;
  for (const IpEndpoint& asked : WhatIsAsked(listen, port, fallback, passed)) {
    for (const Protocol protocol : {Protocol::kUdp, Protocol::kTcp}) {
      PortPlan plan{.protocol = protocol, .endpoint = asked};
      bool served = false;  // by this plan's sockets, or by a dual-stack one of another
      for (const PassedSocket& socket : passed) {
        if (socket.protocol != protocol || !Covers(socket, asked)) continue;
        served = true;
        if (!used.insert(socket.fd).second) continue;
        plan.endpoint = socket.endpoint;
        plan.passed_fds.push_back(socket.fd);
      }
      if (!served || !plan.passed_fds.empty()) plans.push_back(std::move(plan));
    }
  }
  for (const PassedSocket& socket : passed) {
    if (used.contains(socket.fd)) continue;
    return absl::InvalidArgumentError(fmt::format(
        "the passed socket {} is not one that -p and --listen ask for: pass others, or ask for it",
        Describe(socket)));
  }
  return plans;
}

}  // namespace perigee
