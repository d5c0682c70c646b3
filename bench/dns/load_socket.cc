#include "bench/dns/load_socket.h"

#include <poll.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <ctime>
#include <utility>

#include "fmt/format.h"

namespace perigee::bench {
namespace {

Stamp FromTimespec(const timespec& t) { return std::chrono::seconds(t.tv_sec) + Stamp(t.tv_nsec); }

sockaddr_in ToSockaddr(const IpAddress& address, uint16_t port) {
  sockaddr_in out{.sin_family = AF_INET, .sin_port = htons(port)};
  std::memcpy(&out.sin_addr, address.bytes().data(), 4);
  return out;
}

Stamp StampOf(msghdr& header) {
  for (cmsghdr* c = CMSG_FIRSTHDR(&header); c != nullptr; c = CMSG_NXTHDR(&header, c)) {
    if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_TIMESTAMPNS) continue;
    timespec t;
    std::memcpy(&t, CMSG_DATA(c), sizeof(t));
    return FromTimespec(t);
  }
  return Now();
}

}  // namespace

Stamp Now() {
  timespec t;
  clock_gettime(CLOCK_REALTIME, &t);
  return FromTimespec(t);
}

struct LoadSocket::Buffers {
  std::array<std::array<uint8_t, kMaxDatagram>, kBatch> bytes;
  std::array<std::array<uint8_t, CMSG_SPACE(sizeof(timespec))>, kBatch> control;
  std::array<iovec, kBatch> vectors;
  std::array<mmsghdr, kBatch> headers;
};

LoadSocket::LoadSocket(int fd) : fd_(fd), buffers_(std::make_unique<Buffers>()) {}
LoadSocket::LoadSocket(LoadSocket&& other) noexcept
    : fd_(std::exchange(other.fd_, -1)), buffers_(std::move(other.buffers_)) {}
LoadSocket::~LoadSocket() {
  if (fd_ >= 0) close(fd_);
}

absl::StatusOr<LoadSocket> LoadSocket::Connect(const IpEndpoint& server, const IpAddress& source) {
  LoadSocket socket(::socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  constexpr int kOn = 1, kBufferBytes = 4 << 20;
  setsockopt(socket.fd_, SOL_SOCKET, SO_TIMESTAMPNS, &kOn, sizeof(kOn));
  setsockopt(socket.fd_, SOL_SOCKET, SO_RCVBUF, &kBufferBytes, sizeof(kBufferBytes));
  const sockaddr_in own = ToSockaddr(source, 0), peer = ToSockaddr(server.address, server.port);
  if (bind(socket.fd_, reinterpret_cast<const sockaddr*>(&own), sizeof(own)) != 0 ||
      connect(socket.fd_, reinterpret_cast<const sockaddr*>(&peer), sizeof(peer)) != 0) {
    return absl::UnavailableError(
        fmt::format("{} from {}: {}", server.ToString(), source.ToString(), std::strerror(errno)));
  }
  return socket;
}

size_t LoadSocket::Send(size_t count, size_t size, const std::function<void(size_t, uint8_t*)>& write) {
  Buffers& b = *buffers_;
  for (size_t i = 0; i < count; ++i) {
    write(i, b.bytes[i].data());
    b.vectors[i] = {b.bytes[i].data(), size};
    b.headers[i] = {.msg_hdr = {.msg_iov = &b.vectors[i], .msg_iovlen = 1}};
  }
  const int sent = sendmmsg(fd_, b.headers.data(), static_cast<unsigned>(count), 0);
  return sent > 0 ? static_cast<size_t>(sent) : 0;
}

size_t LoadSocket::Receive(const std::function<void(std::span<const uint8_t>, Stamp)>& see) {
  Buffers& b = *buffers_;
  for (size_t i = 0; i < kBatch; ++i) {
    b.vectors[i] = {b.bytes[i].data(), kMaxDatagram};
    b.headers[i] = {.msg_hdr = {.msg_iov = &b.vectors[i],
                                .msg_iovlen = 1,
                                .msg_control = b.control[i].data(),
                                .msg_controllen = b.control[i].size()}};
  }
  const int got = recvmmsg(fd_, b.headers.data(), kBatch, MSG_DONTWAIT, nullptr);
  for (int i = 0; i < got; ++i) see({b.bytes[i].data(), b.headers[i].msg_len}, StampOf(b.headers[i].msg_hdr));
  return got > 0 ? static_cast<size_t>(got) : 0;
}

void LoadSocket::Wait(std::chrono::nanoseconds longest) const {
  pollfd poll{.fd = fd_, .events = POLLIN};
  const timespec timeout{.tv_sec = longest.count() / 1'000'000'000,
                         .tv_nsec = longest.count() % 1'000'000'000};
  ppoll(&poll, 1, &timeout, nullptr);
}

}  // namespace perigee::bench
