// Latencies of one URL at a steady rate, from the moment a request was due: a server that falls behind is not
// spared the requests that it delayed. Takes its core for itself. Prints one JSON object. See --help.
#include <fmt/format.h>

#include <algorithm>
#include <boost/asio.hpp>
#include <charconv>
#include <string>
#include <string_view>
#include <vector>

#include "CLI/CLI.hpp"

namespace asio = boost::asio;
using asio::ip::tcp;
using Clock = std::chrono::steady_clock;

namespace {

constexpr auto kAwait = asio::as_tuple(asio::use_awaitable);
constexpr size_t kBufferBytes = size_t{1} << 18;
constexpr auto kGrace = std::chrono::seconds(2);  // for the last answers

struct Options {
  uint16_t port = 0;
  std::string path;
  std::string if_none_match;
  int connections = 50;
  double rate = 5'000;
  double seconds = 3;
};

// The whole length of the answer that starts in `bytes`; 0 when its head has not come yet.
size_t AnswerSize(std::string_view bytes) {
  const size_t end = bytes.find("\r\n\r\n");
  if (end == std::string_view::npos) return 0;
  std::string head(bytes.substr(0, end));
  std::transform(head.begin(), head.end(), head.begin(), [](unsigned char c) { return std::tolower(c); });
  if (head.starts_with("http/1.1 304")) return end + 4;
  constexpr std::string_view kLength = "\r\ncontent-length:";
  size_t length = 0;
  if (const size_t at = head.find(kLength); at != std::string::npos) {
    const size_t digit = head.find_first_not_of(' ', at + kLength.size());
    std::from_chars(head.data() + digit, head.data() + head.size(), length);
  }
  return end + 4 + length;
}

class Pace {
 public:
  explicit Pace(Options options) : options_(std::move(options)) {
    const std::string condition =
        options_.if_none_match.empty() ? "" : fmt::format("If-None-Match: {}\r\n", options_.if_none_match);
    request_ = fmt::format("GET {} HTTP/1.1\r\nHost: 127.0.0.1:{}\r\n{}\r\n", options_.path, options_.port,
                           condition);
  }

  void Run() {
    start_ = Clock::now() + std::chrono::milliseconds(100);
    for (int i = 0; i < options_.connections; ++i) asio::co_spawn(io_, Connection(i), asio::detached);
    const auto end = Due(Requests()) + kGrace;
    while (!io_.stopped() && Clock::now() < end) io_.poll();
    std::sort(latencies_us_.begin(), latencies_us_.end());
    const auto at = [&](double share) {
      if (latencies_us_.empty()) return 0.0;
      return latencies_us_[static_cast<size_t>(share * static_cast<double>(latencies_us_.size() - 1))];
    };
    fmt::print(R"({{"answered":{},"unanswered":{},"p50_us":{:.1f},"p99_us":{:.1f},"p999_us":{:.1f}}})",
               latencies_us_.size(), Requests() - latencies_us_.size(), at(0.5), at(0.99), at(0.999));
  }

 private:
  uint64_t Requests() const { return static_cast<uint64_t>(options_.rate * options_.seconds); }

  Clock::time_point Due(uint64_t request) const {
    return start_ + std::chrono::duration_cast<Clock::duration>(
                        std::chrono::duration<double>(static_cast<double>(request) / options_.rate));
  }

  // Sends every `connections`-th request, each when it is due or when the one before it is answered.
  asio::awaitable<void> Connection(int number) {
    tcp::socket socket(io_);
    auto [refused] = co_await socket.async_connect({asio::ip::address_v4::loopback(), options_.port}, kAwait);
    if (refused) co_return;
    socket.set_option(tcp::no_delay(true));
    asio::steady_timer timer(io_);
    std::string buffer(kBufferBytes, '\0');
    for (auto i = static_cast<uint64_t>(number); i < Requests();
         i += static_cast<uint64_t>(options_.connections)) {
      timer.expires_at(Due(i));
      co_await timer.async_wait(kAwait);
      const bool answered = co_await Ask(socket, &buffer);
      if (!answered) co_return;
      latencies_us_.push_back(std::chrono::duration<double, std::micro>(Clock::now() - Due(i)).count());
    }
  }

  asio::awaitable<bool> Ask(tcp::socket& socket, std::string* buffer) {
    auto [write_error, sent] = co_await asio::async_write(socket, asio::buffer(request_), kAwait);
    if (write_error) co_return false;
    std::string head;
    size_t whole = 0;
    for (size_t received = 0; whole == 0 || received < whole;) {
      auto [error, size] = co_await socket.async_read_some(asio::buffer(*buffer), kAwait);
      if (error) co_return false;
      received += size;
      if (whole > 0) continue;
      head.append(*buffer, 0, std::min<size_t>(size, 4096));
      if (!head.starts_with(options_.if_none_match.empty() ? "HTTP/1.1 200" : "HTTP/1.1 304"))
        co_return false;
      whole = AnswerSize(head);
    }
    co_return true;
  }

  const Options options_;
  std::string request_;
  asio::io_context io_{1};
  Clock::time_point start_;
  std::vector<double> latencies_us_;
};

}  // namespace

int main(int argc, char** argv) {
  Options options;
  CLI::App app("Asks an HTTP server on 127.0.0.1 for one URL at a steady rate, and measures.", "http_pace");
  app.add_option("--port", options.port)->required();
  app.add_option("--path", options.path)->required();
  app.add_option("--if-none-match", options.if_none_match, "Expect 304s");
  app.add_option("--connections", options.connections)->capture_default_str();
  app.add_option("--rate", options.rate, "Requests a second")->capture_default_str();
  app.add_option("--seconds", options.seconds, "How long")->capture_default_str();
  CLI11_PARSE(app, argc, argv);
  Pace(options).Run();
}
