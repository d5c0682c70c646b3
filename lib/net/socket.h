// A file descriptor with an owner, and where it is bound.
#pragma once

#include <unistd.h>

#include <utility>

#include "absl/status/statusor.h"
#include "lib/base/address.h"

namespace perigee {

class Socket {
 public:
  Socket() = default;
  explicit Socket(int fd) : fd_(fd) {}
  Socket(Socket&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Socket& operator=(Socket&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  ~Socket() {
    if (fd_ >= 0) close(fd_);
  }

  int fd() const { return fd_; }
  int Release() { return std::exchange(fd_, -1); }

 private:
  int fd_ = -1;
};

// What the socket is bound to; its port is the real one when 0 was asked for.
absl::StatusOr<IpEndpoint> BoundEndpoint(int fd);

}  // namespace perigee
