// The origin behind every server that is compared: GET /BYTES/DELAY_MS/ANYTHING is answered, after that
// delay, with so many bytes that may be cached for an hour and have an ETag; GET /count with how many were.
// It prints its port.
#include <fmt/format.h>

#include <array>
#include <boost/asio.hpp>
#include <cstdio>
#include <string>

#include "lib/http_semantics/http_date.h"

namespace asio = boost::asio;
using asio::ip::tcp;

namespace {

constexpr auto kAwait = asio::as_tuple(asio::use_awaitable);

class Origin {
 public:
  asio::awaitable<void> Accept(tcp::acceptor acceptor) {
    for (;;) {
      auto [error, socket] = co_await acceptor.async_accept(kAwait);
      if (!error) asio::co_spawn(acceptor.get_executor(), Serve(std::move(socket)), asio::detached);
    }
  }

 private:
  asio::awaitable<void> Serve(tcp::socket socket) {
    socket.set_option(tcp::no_delay(true));
    asio::steady_timer timer(socket.get_executor());
    std::string input;
    for (;;) {
      auto [read_error, size] =
          co_await asio::async_read_until(socket, asio::dynamic_buffer(input), "\r\n\r\n", kAwait);
      if (read_error) co_return;
      int bytes = 0;
      int delay_ms = 0;
      const bool counted = std::sscanf(input.c_str(), "GET /%d/%d/", &bytes, &delay_ms) == 2;
      input.erase(0, size);
      if (delay_ms > 0) {
        timer.expires_after(std::chrono::milliseconds(delay_ms));
        co_await timer.async_wait(kAwait);
      }
      const std::string body =
          counted ? std::string(static_cast<size_t>(bytes), 'x') : fmt::format("{}", count_);
      if (counted) ++count_;
      const std::string head = fmt::format(
          "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: {}\r\nETag: \"{}\"\r\n"
          "Date: {}\r\nCache-Control: {}\r\n\r\n",
          body.size(), body.size(), perigee::http::FormatHttpDate(std::chrono::system_clock::now()),
          counted ? "max-age=3600" : "no-store");
      const std::array buffers{asio::buffer(head), asio::buffer(body)};
      auto [write_error, written] = co_await asio::async_write(socket, buffers, kAwait);
      if (write_error) co_return;
    }
  }

  uint64_t count_ = 0;
};

}  // namespace

int main() {
  asio::io_context io(1);
  tcp::acceptor acceptor(io, {asio::ip::address_v4::loopback(), 0});
  std::printf("%u\n", unsigned{acceptor.local_endpoint().port()});
  std::fflush(stdout);
  Origin origin;
  asio::co_spawn(io, origin.Accept(std::move(acceptor)), asio::detached);
  io.run();
}
