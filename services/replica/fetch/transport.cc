#include "services/replica/fetch/transport.h"

#include <fmt/format.h>
#include <sys/socket.h>

#include <cstring>

namespace perigee::replica {

Task<FetchError> Transport::Connect(const IpAddress& address, uint16_t port, TlsClient* tls,
                                    std::string* why) {
  sockaddr_storage raw{};
  const uint32_t length = address.ToSockaddr(port, &raw);
  Tcp::endpoint endpoint;
  endpoint.resize(length);
  std::memcpy(endpoint.data(), &raw, length);
  auto [refused] = co_await socket_.async_connect(endpoint, kAwait);
  if (refused) co_return FetchError::kConnect;
  error_code ignored;
  socket_.set_option(Tcp::no_delay(true), ignored);
  if (tls == nullptr) co_return FetchError::kNone;

  tls_ = tls->NewStream(socket_);
  if (tls_ == nullptr) co_return FetchError::kTls;
  auto [error] = co_await tls_->async_handshake(asio::ssl::stream_base::client, kAwait);
  if (!error) co_return FetchError::kNone;
  const TlsFailure failure = HandshakeFailure(*tls_, error);
  *why = fmt::format(" ({})", failure.why);
  co_return failure.error;
}

bool Transport::IsSilent() {
  if (!socket_.is_open()) return false;
  char byte;
  const ssize_t n = ::recv(socket_.native_handle(), &byte, 1, MSG_PEEK | MSG_DONTWAIT);
  return n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK);
}

void Transport::Close() {
  error_code ignored;
  socket_.close(ignored);
}

}  // namespace perigee::replica
