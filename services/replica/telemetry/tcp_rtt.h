// What the kernel knows of a TCP connection's round-trip time.
#pragma once

#include <optional>

#include "lib/base/clock.h"

namespace perigee::replica {

// The least that it has measured (TCP_INFO); nothing when it has not, or `fd` is no connected TCP socket.
std::optional<Rtt> TcpRtt(int fd);

}  // namespace perigee::replica
