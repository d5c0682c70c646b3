// Bound sockets for the listeners, and the words for why one could not be had.
#pragma once

#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "lib/base/address.h"

namespace perigee::dns {

// Owns a file descriptor.
class Socket {
 public:
  Socket() = default;
  explicit Socket(int fd) : fd_(fd) {}
  Socket(Socket&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Socket& operator=(Socket&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  ~Socket();

  int fd() const { return fd_; }
  int Release() { return std::exchange(fd_, -1); }

 private:
  int fd_ = -1;
};

enum class Sharing {
  kFirst,  // refuses a port that anybody has already; later sockets of ours may join it
  kJoin,   // shares the port with a kFirst socket (SO_REUSEPORT)
};

// A UDP socket whose reads end with EAGAIN after a second without a datagram; on a wildcard address it
// reports the address each query came to. Its answers are never sent with DF, and path MTUs that a stranger
// could forge are ignored (PMTUDISC_OMIT). An IPv6 socket takes IPv6 only. Errors name protocol and address:
// Unavailable when the port is in use, PermissionDenied when it needs a privilege, Unimplemented when the
// machine lacks the address family, else FailedPrecondition.
absl::StatusOr<Socket> BindUdp(const IpEndpoint& address, Sharing sharing);

// A listening, non-blocking TCP socket. Errors as above.
absl::StatusOr<Socket> ListenTcp(const IpEndpoint& address);

// What the socket is bound to; its port is the real one when 0 was asked for.
absl::StatusOr<IpEndpoint> BoundEndpoint(const Socket& socket);

}  // namespace perigee::dns
