#include "services/dns/listener/testing/client.h"

#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>

namespace perigee::dns::testing {
namespace {

constexpr timeval kPatience{5, 0};

Socket Open(const IpEndpoint& server, int type) {
  Socket socket(::socket(server.address.is_v4() ? AF_INET : AF_INET6, type | SOCK_CLOEXEC, 0));
  setsockopt(socket.fd(), SOL_SOCKET, SO_RCVTIMEO, &kPatience, sizeof(kPatience));
  setsockopt(socket.fd(), SOL_SOCKET, SO_SNDTIMEO, &kPatience, sizeof(kPatience));
  return socket;
}

}  // namespace

UdpClient::UdpClient(const IpEndpoint& server) : server_(server), socket_(Open(server, SOCK_DGRAM)) {}

void UdpClient::Send(std::span<const uint8_t> bytes) {
  sockaddr_storage to;
  const socklen_t size = server_.address.ToSockaddr(server_.port, &to);
  sendto(socket_.fd(), bytes.data(), bytes.size(), 0, reinterpret_cast<const sockaddr*>(&to), size);
}

std::optional<Message> UdpClient::Receive() {
  std::array<uint8_t, 65535> bytes;
  sockaddr_storage from{};
  socklen_t from_size = sizeof(from);
  const ssize_t size =
      recvfrom(socket_.fd(), bytes.data(), bytes.size(), 0, reinterpret_cast<sockaddr*>(&from), &from_size);
  if (size < 0) return std::nullopt;
  answered_from_ = IpAddress::FromSockaddr(reinterpret_cast<const sockaddr*>(&from)).value();
  return Decode(std::span(bytes).first(static_cast<size_t>(size)));
}

bool UdpClient::HasAnswer() {
  pollfd readable{socket_.fd(), POLLIN, 0};
  return poll(&readable, 1, 0) == 1;
}

TcpClient::TcpClient(const IpEndpoint& server) : socket_(Open(server, SOCK_STREAM)) { Connect(server); }

TcpClient::TcpClient(const IpEndpoint& server, const IpAddress& source) : socket_(Open(server, SOCK_STREAM)) {
  sockaddr_storage from;
  const socklen_t size = source.ToSockaddr(0, &from);
  if (bind(socket_.fd(), reinterpret_cast<const sockaddr*>(&from), size) == 0) Connect(server);
}

void TcpClient::Connect(const IpEndpoint& server) {
  sockaddr_storage to;
  const socklen_t size = server.address.ToSockaddr(server.port, &to);
  if (connect(socket_.fd(), reinterpret_cast<const sockaddr*>(&to), size) != 0) socket_ = Socket();
}

void TcpClient::Send(std::span<const uint8_t> query) {
  Bytes framed = {static_cast<uint8_t>(query.size() >> 8), static_cast<uint8_t>(query.size())};
  framed.insert(framed.end(), query.begin(), query.end());
  SendRaw(framed);
}

void TcpClient::SendRaw(std::span<const uint8_t> bytes) {
  while (!bytes.empty()) {
    const ssize_t sent = send(socket_.fd(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent <= 0) return;
    bytes = bytes.subspan(static_cast<size_t>(sent));
  }
}

void TcpClient::CloseHalf() { shutdown(socket_.fd(), SHUT_WR); }

bool TcpClient::ReadExactly(std::span<uint8_t> bytes) {
  return recv(socket_.fd(), bytes.data(), bytes.size(), MSG_WAITALL) == static_cast<ssize_t>(bytes.size());
}

std::optional<Message> TcpClient::Receive() {
  std::array<uint8_t, 2> prefix;
  if (!ReadExactly(prefix)) return std::nullopt;
  Bytes bytes(static_cast<size_t>(prefix[0] << 8 | prefix[1]));
  return ReadExactly(bytes) ? Decode(bytes) : std::nullopt;
}

bool TcpClient::IsClosed() {
  uint8_t octet = 0;
  const ssize_t size = recv(socket_.fd(), &octet, 1, 0);
  return size == 0 || (size < 0 && errno == ECONNRESET);
}

}  // namespace perigee::dns::testing
