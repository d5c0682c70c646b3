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
  return Ip(fmt::format("link add {} type veth peer name far netns /proc/{}/fd/{}", here, getpid(), netns)) &&
         Ip(fmt::format("link set {} addrgenmode none", here)) && Ip(fmt::format("link set {} up", here));
}

bool SetUpPinging(int netns) {
  bool ok = Enter(netns) && Ip("link set lo up") && Ip("link set far addrgenmode none") &&
            Ip("link set far up") && Ip("addr add 198.18.0.2/24 dev far") &&
            Ip("addr add fd00::2/64 dev far nodad") && Ip("addr add fd00:1::1/128 dev far nodad");
  for (int i = 1; ok && i <= 60; ++i) ok = Ip(fmt::format("addr add 198.18.1.{}/32 dev far", i));
  return ok;
}

bool SetUpMute(int netns) {
  bool ok = Enter(netns) && Ip("link set lo up") && Ip("link set far up") &&
            Ip("addr add 198.18.4.2/24 dev far") && Ip("addr add 198.18.2.1/32 dev far") &&
            SetSysctl("/proc/sys/net/ipv4/icmp_echo_ignore_all", "1");
  const int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);  // open as long as the process
  sockaddr_in any{};
  any.sin_family = AF_INET;
  any.sin_port = htons(kMuteOpenPort);
  return ok && bind(listener, reinterpret_cast<sockaddr*>(&any), sizeof any) == 0 &&
         listen(listener, 16) == 0;
}

bool SetUpRoutes(int netns) {
  return Enter(netns) && Ip("addr add 198.18.0.1/24 dev to-world") &&
         Ip("addr add fd00::1/64 dev to-world nodad") && Ip("addr add 198.18.4.1/24 dev to-mute") &&
         Ip("route add 198.18.1.0/24 via 198.18.0.2") && Ip("route add 198.18.3.0/24 via 198.18.0.2") &&
         Ip("route add 198.18.2.0/24 via 198.18.4.2") && Ip("route add fd00:1::/64 via fd00::2");
}

}  // namespace

std::string EnterTestingWorld() {
  const int pinging = FreshNamespace();
  const int mute = FreshNamespace();
  const int own = FreshNamespace();
  if (pinging < 0 || mute < 0 || own < 0) return "can't make network namespaces";
  if (!Ip("link set lo up") || !Connect(kLink, pinging) || !Connect("to-mute", mute))
    return "can't make links";
  if (!SetUpPinging(pinging)) return "can't set up the pinging host";
  if (!SetUpMute(mute)) return "can't set up the mute host";
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
