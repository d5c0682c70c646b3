#include "services/prober/tcp_rung.h"

#include <netinet/in.h>
#include <netinet/tcp.h>

#include <boost/asio/error.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <cstring>
#include <optional>
#include <utility>

namespace perigee {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;

tcp::endpoint EndpointOf(const IpAddress& address, uint16_t port) {
  sockaddr_storage storage;
  const uint32_t length = address.ToSockaddr(port, &storage);
  tcp::endpoint endpoint;
  endpoint.resize(length);
  std::memcpy(endpoint.data(), &storage, length);
  return endpoint;
}

// The kernel's own sample of the handshake: free of our scheduling delay.
std::optional<Rtt> KernelRtt(tcp::socket& socket) {
  tcp_info info{};
  socklen_t length = sizeof info;
  if (getsockopt(socket.native_handle(), IPPROTO_TCP, TCP_INFO, &info, &length) != 0) return std::nullopt;
  if (info.tcpi_rtt == 0) return std::nullopt;
  return Rtt(info.tcpi_rtt);
}

}  // namespace

struct TcpRung::Knock {
  explicit Knock(asio::io_context& io) : socket(io) {}
  tcp::socket socket;
  MonoTime started;
};

TcpRung::TcpRung(asio::io_context& io, const IpAddress& address, std::span<const uint16_t> ports,
                 Events events)
    : events_(std::move(events)), patience_(io, kTcpPatience), outstanding_(ports.size()) {
  for (const uint16_t port : ports) {
    knocks_.push_back(std::make_shared<Knock>(io));
    Start(knocks_.back(), address, port);
  }
  patience_.async_wait(life_.Guard([this](const boost::system::error_code& error) {
    if (!error) End();
  }));
}

TcpRung::~TcpRung() {
  for (const auto& knock : knocks_) {
    boost::system::error_code ignored;
    knock->socket.close(ignored);
  }
}

void TcpRung::Start(const std::shared_ptr<Knock>& knock, const IpAddress& address, uint16_t port) {
  const tcp::endpoint endpoint = EndpointOf(address, port);
  boost::system::error_code error;
  knock->socket.open(endpoint.protocol(), error);
  if (!error) knock->socket.set_option(tcp::socket::linger(true, 0), error);
  auto handler =
      life_.Guard([this, knock](const boost::system::error_code& result) { OnConnect(*knock, result); });
  if (error) {
    asio::post(knock->socket.get_executor(), [handler, error]() mutable { handler(error); });
    return;
  }
  knock->started = std::chrono::steady_clock::now();
  knock->socket.async_connect(endpoint, std::move(handler));
}

void TcpRung::OnConnect(Knock& knock, const boost::system::error_code& error) {
  const auto elapsed = std::chrono::steady_clock::now() - knock.started;
  if (ended_) return;
  --outstanding_;
  const Rtt by_our_clock = std::chrono::duration_cast<Rtt>(elapsed);
  if (!error) {
    events_.on_answer(KernelRtt(knock.socket).value_or(by_our_clock));
  } else if (error == asio::error::connection_refused || error == asio::error::connection_reset) {
    events_.on_answer(by_our_clock);
  }
  boost::system::error_code ignored;
  knock.socket.close(ignored);
  if (outstanding_ == 0) End();
}

void TcpRung::End() {
  if (std::exchange(ended_, true)) return;
  patience_.cancel();
  for (const auto& knock : knocks_) {
    boost::system::error_code ignored;
    knock->socket.close(ignored);
  }
  events_.on_end();
}

}  // namespace perigee
