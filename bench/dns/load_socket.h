// A UDP socket that sends and receives batches, and says when each answer reached this host: the kernel's own
// time stamp, so that a load generator which was not scheduled in time does not blame the server.
#pragma once

#include <netinet/in.h>
#include <sys/socket.h>

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>

#include "absl/status/statusor.h"
#include "lib/base/address.h"

namespace perigee::bench {

// CLOCK_REALTIME: what the kernel stamps datagrams with.
using Stamp = std::chrono::nanoseconds;
Stamp Now();

class LoadSocket {
 public:
  static constexpr size_t kBatch = 64;
  static constexpr size_t kMaxDatagram = 1232;

  // Unavailable when an address can't be had.
  static absl::StatusOr<LoadSocket> Connect(const IpEndpoint& server, const IpAddress& source);
  LoadSocket(LoadSocket&& other) noexcept;
  ~LoadSocket();

  // Sends `count` datagrams, at most kBatch, of `size` octets each, written by `write(i, out)`. How many
  // left.
  size_t Send(size_t count, size_t size, const std::function<void(size_t, uint8_t*)>& write);
  // Hands what has arrived, at most kBatch, to `see`. How many that were.
  size_t Receive(const std::function<void(std::span<const uint8_t>, Stamp)>& see);
  // Returns when something has arrived, or after `longest`.
  void Wait(std::chrono::nanoseconds longest) const;

 private:
  struct Buffers;
  LoadSocket(int fd);
  int fd_;
  std::unique_ptr<Buffers> buffers_;
};

}  // namespace perigee::bench
