// A server on loopback before a scripted origin: the fixture of the tests of the whole HTTP side, who take
// all the names of this namespace.
#pragma once

#include <fmt/format.h>
#include <gmock/gmock.h>

#include <csignal>
#include <memory>
#include <thread>
#include <vector>

#include "services/replica/server.h"
#include "services/replica/testing/scripted_origin.h"

namespace perigee::replica::testing {

using ::testing::AnyOf;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

inline constexpr std::string_view kPrivate = "Cache-Control: private\r\n";
inline constexpr std::string_view kAlwaysValidate = "Cache-Control: max-age=0\r\nETag: \"v1\"\r\n";

inline ScriptedOrigin::Script Answer(std::string response) {
  return [response](const std::string&, TestSocket& socket) { return socket.Send(response); };
}

class ServerTest : public ::testing::Test {
 protected:
  ServerTest() { std::signal(SIGPIPE, SIG_IGN); }  // as the program does

  void Start(ScriptedOrigin::Script script) {
    origin_ = std::make_unique<ScriptedOrigin>(std::move(script));
    StartServer(fmt::format("127.0.0.1:{}", origin_->port()));
  }

  void StartServer(const std::string& origin) {
    server_.reset();
    cache_.reset();
    cache_ = *Cache::Open(cache_options_, clock_);
    ServerOptions options{.listen = {{.address = *IpAddress::Parse("127.0.0.1"), .port = 0}},
                          .origin = *OriginAddress::Parse(origin),
                          .threads = threads_,
                          .limits = limits_,
                          .resolver = resolver_,
                          .served_names = more_.served_names,
                          .access_log = more_.access_log};
    auto server = Server::Start(std::move(options), *cache_, clock_);
    ASSERT_TRUE(server.ok()) << server.status();
    server_ = *std::move(server);
  }

  uint16_t port() const { return server_->port(); }
  TestResponse Fetch(std::string_view path, std::string_view fields = "") {
    return Ask(port(), Get(path, fields));
  }

  // Sends `n` requests at once, each on a connection of its own.
  std::vector<TestSocket> SendMany(int n, std::string_view request) {
    std::vector<TestSocket> clients;
    for (int i = 0; i < n; ++i) {
      clients.push_back(TestSocket::ConnectTo(port()));
      clients.back().Send(request);
    }
    return clients;
  }
  // Waits until a counter has reached `n`.
  void Await(uint64_t ServerStats::*counter, uint64_t n) {
    const auto give_up = std::chrono::steady_clock::now() + std::chrono::seconds(5);
    while (server_->Stats().*counter < n && std::chrono::steady_clock::now() < give_up)
      std::this_thread::yield();
    EXPECT_GE(server_->Stats().*counter, n);
  }

  SystemClock clock_;
  int threads_ = 2;
  Limits limits_;
  ResolverOptions resolver_;
  ServerOptions more_;  // its served names and access log
  CacheOptions cache_options_;
  std::unique_ptr<ScriptedOrigin> origin_;
  std::unique_ptr<Cache> cache_;
  std::unique_ptr<Server> server_;
};

}  // namespace perigee::replica::testing
