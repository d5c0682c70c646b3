#include "services/replica/telemetry/tcp_rtt.h"

// Not netinet/tcp.h, whose tcp_info ends before tcpi_min_rtt; the two do not go together.
#include <linux/tcp.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <cstddef>
#include <cstdint>

namespace perigee::replica {

std::optional<Rtt> TcpRtt(int fd) {
  tcp_info info{};
  socklen_t size = sizeof(info);
  if (::getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &size) != 0) return std::nullopt;
  if (size < offsetof(tcp_info, tcpi_min_rtt) + sizeof(info.tcpi_min_rtt)) return std::nullopt;
  if (info.tcpi_min_rtt == 0 || info.tcpi_min_rtt == UINT32_MAX) return std::nullopt;
  return Rtt(info.tcpi_min_rtt);
}

}  // namespace perigee::replica
