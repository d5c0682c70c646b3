#include "lib/metrics/metrics_server.h"

#include <prometheus/text_serializer.h>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ip/v6_only.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/beast/http.hpp>
#include <cstring>
#include <string>
#include <string_view>
#include <thread>
#include <utility>

#include "fmt/format.h"

namespace perigee {
namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = beast::http;
using asio::ip::tcp;
namespace {

constexpr auto kAwait = asio::as_tuple(asio::use_awaitable);
// After an accept that failed, such as for want of file descriptors.
constexpr std::chrono::milliseconds kAcceptPause{20};
constexpr int kSingleThreaded = 1;

using Parser = http::request_parser<http::empty_body>;
using Response = http::response<http::string_body>;

constexpr std::string_view kMetricsType = "text/plain; version=0.0.4; charset=utf-8";
constexpr std::string_view kTextType = "text/plain; charset=utf-8";

Response MakeResponse(http::status status, std::string body, std::string_view type = kTextType) {
  Response response(status, 11);
  response.set(http::field::content_type, {type.data(), type.size()});
  response.set(http::field::cache_control, "no-store");
  response.keep_alive(false);
  response.body() = std::move(body);
  response.prepare_payload();
  return response;
}

Response ToResponse(const HealthVerdict& verdict) {
  return MakeResponse(verdict.ok() ? http::status::ok : http::status::service_unavailable, Text(verdict));
}

Response Page(std::string_view path, const MetricsPages& pages) {
  if (path == "/metrics") {
    return MakeResponse(http::status::ok, prometheus::TextSerializer().Serialize(pages.metrics()),
                        kMetricsType);
  }
  if (path == "/healthz") return ToResponse(pages.alive());
  if (path == "/readyz") return ToResponse(pages.ready());
  return MakeResponse(http::status::not_found, "there are /metrics, /healthz and /readyz\n");
}

Response Answer(const http::request<http::empty_body>& request, const MetricsPages& pages) {
  const bool head = request.method() == http::verb::head;
  if (!head && request.method() != http::verb::get) {
    Response response = MakeResponse(http::status::method_not_allowed, "only GET and HEAD\n");
    response.set(http::field::allow, "GET, HEAD");
    return response;
  }
  const std::string_view target(request.target().data(), request.target().size());
  Response response = Page(target.substr(0, target.find('?')), pages);
  if (head) response.body().clear();  // Content-Length stays what GET's would be
  return response;
}

tcp::endpoint ToAsio(const IpEndpoint& endpoint) {
  sockaddr_storage storage{};
  const uint32_t size = endpoint.address.ToSockaddr(endpoint.port, &storage);
  tcp::endpoint result;
  result.resize(size);
  std::memcpy(result.data(), &storage, size);
  return result;
}

absl::Status ListenError(const IpEndpoint& endpoint, const boost::system::error_code& error) {
  std::string_view hint;
  if (error == asio::error::address_in_use) hint = "; is another server running there?";
  if (error == asio::error::access_denied) hint = "; take a port from 1024 on";
  const std::string text =
      fmt::format("cannot serve metrics on {}: {}{}", endpoint.ToString(), error.message(), hint);
  return absl::FailedPreconditionError(text);
}

}  // namespace

class MetricsServer::Impl {
 public:
  Impl(MetricsPages pages, MetricsLimits limits)
      : pages_(std::move(pages)), limits_(limits), context_(kSingleThreaded), acceptor_(context_) {}

  ~Impl() {
    context_.stop();
    if (thread_.joinable()) thread_.join();
  }

  boost::system::error_code Listen(const tcp::endpoint& endpoint) {
    boost::system::error_code error;
    acceptor_.open(endpoint.protocol(), error);
    if (!error) acceptor_.set_option(tcp::acceptor::reuse_address(true), error);
    if (!error && endpoint.address().is_v6()) acceptor_.set_option(asio::ip::v6_only(true), error);
    if (!error) acceptor_.bind(endpoint, error);
    if (!error) acceptor_.listen(asio::socket_base::max_listen_connections, error);
    if (!error) port_ = acceptor_.local_endpoint(error).port();
    return error;
  }

  void Run() {
    asio::co_spawn(context_, Accept(), asio::detached);
    thread_ = std::thread([this] { context_.run(); });
  }

  uint16_t port() const { return port_; }

 private:
  // Counts a connection for as long as its coroutine lives.
  class Place {
   public:
    explicit Place(size_t& taken) : taken_(taken) { ++taken_; }
    ~Place() { --taken_; }
    Place(const Place&) = delete;
    Place& operator=(const Place&) = delete;

   private:
    size_t& taken_;
  };

  asio::awaitable<void> Accept() {
    for (;;) {
      auto [error, socket] = co_await acceptor_.async_accept(kAwait);
      if (error) {
        asio::steady_timer pause(context_, kAcceptPause);
        co_await pause.async_wait(kAwait);
      } else if (connections_ < limits_.max_connections) {
        asio::co_spawn(context_,
                       Serve(beast::tcp_stream(std::move(socket)), std::make_unique<Place>(connections_)),
                       asio::detached);
      }
    }
  }

  asio::awaitable<void> Serve(beast::tcp_stream stream, [[maybe_unused]] std::unique_ptr<Place> place) {
    stream.expires_after(limits_.deadline);
    beast::flat_buffer buffer(limits_.max_header_size);
    Parser parser;
    parser.header_limit(limits_.max_header_size);
    auto [read_error, read] = co_await http::async_read_header(stream, buffer, parser, kAwait);
    if (read_error == beast::error::timeout || read_error == http::error::end_of_stream) co_return;
    const Response response = read_error ? MakeResponse(http::status::bad_request, "not a request\n")
                                         : Answer(parser.get(), pages_);
    auto [write_error, written] = co_await http::async_write(stream, response, kAwait);
    boost::system::error_code ignored;
    if (!write_error) stream.socket().shutdown(tcp::socket::shutdown_send, ignored);
  }

  const MetricsPages pages_;
  const MetricsLimits limits_;
  uint16_t port_ = 0;
  size_t connections_ = 0;
  asio::io_context context_;  // its coroutines use what stands above
  tcp::acceptor acceptor_;
  std::thread thread_;
};

absl::StatusOr<std::unique_ptr<MetricsServer>> MetricsServer::Start(IpEndpoint endpoint, MetricsPages pages,
                                                                    MetricsLimits limits) {
  auto impl = std::make_unique<Impl>(std::move(pages), limits);
  if (const auto error = impl->Listen(ToAsio(endpoint))) return ListenError(endpoint, error);
  impl->Run();
  return std::unique_ptr<MetricsServer>(new MetricsServer(std::move(impl)));
}

MetricsServer::MetricsServer(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
MetricsServer::~MetricsServer() = default;
uint16_t MetricsServer::port() const { return impl_->port(); }

}  // namespace perigee
