#include "services/prober/testing_world.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sched.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>
#include <sstream>

#include "fmt/format.h"

namespace perigee {
namespace {

constexpr const char* kLink = "to-world";
constexpr const char* kNearMac = "02:00:00:00:00:01";
constexpr const char* kFarMac = "02:00:00:00:00:02";

int FreshNamespace() {
  if (unshare(CLONE_NEWNET) != 0) return -1;
  return open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
}

bool Enter(int netns) { return setns(netns, CLONE_NEWNET) == 0; }

bool Ip(const std::string& arguments) { return std::system(("ip " + arguments).c_str()) == 0; }

bool SetSysctl(const char* path, const char* value) {
  std::ofstream file(path);
  file << value << std::flush;
  return file.good();
}

// A veth from here to `netns`, where it is called "far".
bool Connect(const char* here, int netns) {
  return Ip(fmt::format("link add {} address {} type veth peer name far address {} netns /proc/{}/fd/{}",
                        here, kNearMac, kFarMac, getpid(), netns)) &&
         Ip(fmt::format("link set {} addrgenmode none", here)) && Ip(fmt::format("link set {} up", here));
}

// Tests count packets: neighbours are known for good, so that none is spent on asking for them.
bool Know(const char* neighbour, const char* mac, const char* device) {
  return Ip(fmt::format("neigh replace {} lladdr {} dev {} nud permanent", neighbour, mac, device));
}

bool SetUpPinging(int netns) {
  bool ok = Enter(netns) && Ip("link set lo up") && Ip("link set far addrgenmode none") &&
            Ip("link set far up") && Ip("addr add 198.18.0.2/24 dev far") &&
            Ip("addr add fd00::2/64 dev far nodad") && Ip("addr add fd00:1::1/128 dev far nodad") &&
            Know("198.18.0.1", kNearMac, "far") && Know("fd00::1", kNearMac, "far");
  for (int i = 1; ok && i <= 60; ++i) ok = Ip(fmt::format("addr add 198.18.1.{}/32 dev far", i));
  return ok;
}

// A listening port, open as long as the process; -1 when it can't be had.
int Listen(uint16_t port, int backlog) {
  const int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in any{};
  any.sin_family = AF_INET;
  any.sin_port = htons(port);
  const bool ok =
      bind(listener, reinterpret_cast<sockaddr*>(&any), sizeof any) == 0 && listen(listener, backlog) == 0;
  return ok ? listener : -1;
}

// A port whose queue one connection has filled: from then on the kernel drops SYNs.
bool ListenInVain(uint16_t port) {
  const int listener = Listen(port, 0), visitor = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in here{};
  here.sin_family = AF_INET;
  here.sin_port = htons(port);
  here.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return listener >= 0 && connect(visitor, reinterpret_cast<sockaddr*>(&here), sizeof here) == 0;
}

bool SetUpMute(int netns) {
  return Enter(netns) && Ip("link set lo up") && Ip("link set far up") &&
         Ip("addr add 198.18.4.2/24 dev far") && Ip("addr add 198.18.2.1/32 dev far") &&
         SetSysctl("/proc/sys/net/ipv4/icmp_echo_ignore_all", "1") && Listen(kMuteOpenPort, 16) >= 0 &&
         ListenInVain(kMuteDeafPort);
}

bool Forward() {
  return SetSysctl("/proc/sys/net/ipv4/ip_forward", "1") &&
         SetSysctl("/proc/sys/net/ipv4/icmp_ratelimit", "0");
}

// `near` forwards to `far`, and that to `nobody`, who forwards nothing.
bool SetUpRouters(int near, int far, int nobody) {
  return Enter(nobody) && Ip("link set lo up") && Enter(near) && Connect("to-last", far) &&
         Ip("addr add 198.18.6.1/24 dev to-last") && Ip("route add 198.18.5.0/24 via 198.18.6.2") &&
         Ip("route add blackhole 198.18.3.0/24") && Forward() && Enter(far) && Ip("link set far up") &&
         Ip("addr add 198.18.6.2/24 dev far") && Ip("route add 198.18.0.0/24 via 198.18.6.1") &&
         Connect("to-nobody", nobody) && Ip("addr add 198.18.7.1/24 dev to-nobody") &&
         Know("198.18.7.2", kFarMac, "to-nobody") && Ip("route add 198.18.5.0/24 via 198.18.7.2") &&
         Forward() && Enter(nobody) && Ip("link set far up");
}

bool SetUpRoutes(int netns) {
  return Enter(netns) && Ip("addr add 198.18.0.1/24 dev to-world") &&
         Ip("addr add fd00::1/64 dev to-world nodad") && Ip("addr add 198.18.4.1/24 dev to-mute") &&
         Ip("route add 198.18.1.0/24 via 198.18.0.2") && Ip("route add 198.18.3.0/24 via 198.18.0.2") &&
         Ip("route add 198.18.2.0/24 via 198.18.4.2") && Ip("route add 198.18.5.0/24 via 198.18.0.2") &&
         Ip("route add fd00:1::/64 via fd00::2") && Know("198.18.0.2", kFarMac, kLink) &&
         Know("fd00::2", kFarMac, kLink);
}

}  // namespace

std::string EnterTestingWorld() {
  const int pinging = FreshNamespace();
  const int mute = FreshNamespace();
  const int last_router = FreshNamespace();
  const int nobody = FreshNamespace();
  const int own = FreshNamespace();
  if (pinging < 0 || mute < 0 || last_router < 0 || nobody < 0 || own < 0)
    return "can't make network namespaces";
  if (!Ip("link set lo up") || !Connect(kLink, pinging) || !Connect("to-mute", mute))
    return "can't make links";
  if (!SetUpPinging(pinging)) return "can't set up the pinging host";
  if (!SetUpMute(mute)) return "can't set up the mute host";
  if (!SetUpRouters(pinging, last_router, nobody)) return "can't set up the routers";
  if (!SetUpRoutes(own)) return "can't set up routes";
  return "";
}

long PacketsSent() {
  std::ifstream file("/proc/self/net/dev");
  std::string line;
  while (std::getline(file, line)) {
    const size_t colon = line.find(':');
    if (colon == line.npos || line.find(kLink) > colon) continue;
    std::istringstream columns(line.substr(colon + 1));
    long value = 0;
    for (int column = 0; column < 10; ++column) columns >> value;  // 8 of receiving, then bytes, then packets
    return value;
  }
  return -1;
}

}  // namespace perigee
