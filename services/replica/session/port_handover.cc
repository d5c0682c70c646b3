#include "services/replica/session/port_handover.h"

#include <fmt/format.h>
#include <linux/filter.h>
#include <sys/socket.h>

#include <array>
#include <cstring>
#include <fstream>
#include <string>

#include "lib/net/socket.h"

namespace perigee::replica {
namespace {

constexpr std::string_view kListens = "0A";  // TCP_LISTEN, as /proc prints it

// As proc_pid_net(5) has it: the address as 32-bit words of the host's order, each in hexadecimal.
std::string InProc(const IpEndpoint& endpoint) {
  std::string text;
  const auto bytes = endpoint.address.bytes();
  for (size_t i = 0; i < bytes.size(); i += sizeof(uint32_t)) {
    uint32_t word = 0;
    std::memcpy(&word, &bytes[i], sizeof(word));
    text += fmt::format("{:08X}", word);
  }
  return text + fmt::format(":{:04X}", endpoint.port);
}

// How many sockets listen on the very address and port. The kernel lists them before all connections.
int CountListeners(const IpEndpoint& endpoint) {
  std::ifstream table(endpoint.address.is_v4() ? "/proc/self/net/tcp" : "/proc/self/net/tcp6");
  const std::string wanted = InProc(endpoint);
  std::string line;
  std::getline(table, line);  // the heading
  int count = 0;
  std::string slot;
  std::string local;
  std::string remote;
  std::string state;
  while (table >> slot >> local >> remote >> state && state == kListens && std::getline(table, line))
    count += local == wanted ? 1 : 0;
  return count;
}

}  // namespace

// The kernel numbers a port's sockets in the order in which they began to listen, and, when one closes, gives
// its number to the last. So those that joined later come after all older ones, and the program says which of
// them. A number that there is not leaves the choice to the kernel.
bool YieldNewConnections(int fd, int own) {
  const auto bound = BoundEndpoint(fd);
  const int others = bound.ok() ? CountListeners(*bound) - own : 0;
  if (others <= 0) return false;
  std::array<sock_filter, 4> program = {{
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, static_cast<uint32_t>(SKF_AD_OFF + SKF_AD_RANDOM)),
      BPF_STMT(BPF_ALU | BPF_MOD | BPF_K, static_cast<uint32_t>(others)),
      BPF_STMT(BPF_ALU | BPF_ADD | BPF_K, static_cast<uint32_t>(own)),
      BPF_STMT(BPF_RET | BPF_A, 0),
  }};
  const sock_fprog chosen{.len = program.size(), .filter = program.data()};
  return ::setsockopt(fd, SOL_SOCKET, SO_ATTACH_REUSEPORT_CBPF, &chosen, sizeof(chosen)) == 0;
}

void SpreadNewConnections(int fd) {
  const int unused = 0;
  ::setsockopt(fd, SOL_SOCKET, SO_DETACH_REUSEPORT_BPF, &unused, sizeof(unused));
}

}  // namespace perigee::replica
