// The HTTP side on loopback: the limits that only a misbehaving network or host reaches.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <spdlog/sinks/base_sink.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>

#include "absl/cleanup/cleanup.h"
#include "lib/log/log.h"
#include "services/replica/counters.h"
#include "services/replica/fetch/origin_pool.h"
#include "services/replica/testing/name_server.h"
#include "services/replica/testing/server_fixture.h"

namespace perigee::replica {
namespace {

using namespace testing;

MonoTime Now() { return std::chrono::steady_clock::now(); }

// 127.0.0.`host`
sockaddr_in Loopback(uint16_t port, uint32_t host = 1) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl((INADDR_LOOPBACK & ~0xffu) | host);
  return address;
}

void Connect(const TestSocket& socket, uint16_t port) {
  const sockaddr_in address = Loopback(port);
  ASSERT_EQ(::connect(socket.fd(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)), 0);
}

// Sends `start`, then `drop` without an end in sight: for 5 s, within which every test is over.
testing::ScriptedOrigin::Script Drip(const std::string& start, const std::string& drop, const Gate& stop) {
  return [start, drop, stop](const std::string&, TestSocket& socket) {
    bool taken = socket.Send(start);
    for (int i = 0; i < 1'000 && taken && !stop.WaitFor(milliseconds(5)); ++i) taken = socket.Send(drop);
    return false;
  };
}

// --- fetch_timeout ---

TEST_F(ServerTest, HeadThatDripsForEverIs504WithinTheFetchTimeout) {
  limits_.fetch_timeout = milliseconds(200);
  Gate stop;
  Start(Drip("HTTP/1.1 200 OK\r\nX: ", "x", stop));
  const MonoTime begin = Now();
  const TestResponse response = Fetch("/a");
  EXPECT_EQ(response.status, 504);
  EXPECT_THAT(response.Field("Cache-Status"), HasSubstr("detail=fetch-timeout"));
  EXPECT_GE(Now() - begin, limits_.fetch_timeout);
  EXPECT_LT(Now() - begin, std::chrono::seconds(2));
  stop.Open();
}

TEST_F(ServerTest, BodyThatDripsForEverIsCutWithinTheFetchTimeoutAndNotStored) {
  limits_.fetch_timeout = milliseconds(200);
  for (const std::string_view fields : {std::string_view("Cache-Control: max-age=60\r\n"), kPrivate}) {
    Gate stop;
    const std::string head = fmt::format("HTTP/1.1 200 OK\r\n{}Transfer-Encoding: chunked\r\n\r\n", fields);
    Start(Drip(head, "1\r\nx\r\n", stop));
    const MonoTime begin = Now();
    const TestResponse response = Fetch("/a");
    EXPECT_EQ(response.status, 200);
    EXPECT_NE(response.body, "");
    EXPECT_FALSE(response.complete);
    EXPECT_LT(Now() - begin, std::chrono::seconds(2));
    stop.Open();
    origin_->SetScript(Answer(Ok("whole")));
    EXPECT_EQ(Fetch("/a").body, "whole");
  }
}

// --- connect_timeout, and origins with several addresses ---

// Listens, but its accept queue is full: the kernel drops the SYN of whoever comes next.
class DeafListener {
 public:
  explicit DeafListener(sockaddr_in address = Loopback(0))
      : listening_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    socklen_t size = sizeof(address);
    EXPECT_EQ(::bind(listening_.fd(), reinterpret_cast<const sockaddr*>(&address), size), 0);
    ::getsockname(listening_.fd(), reinterpret_cast<sockaddr*>(&address), &size);
    port_ = ntohs(address.sin_port);
    ::listen(listening_.fd(), 0);  // room for one
    EXPECT_EQ(::connect(filler_.fd(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)), 0);
    pollfd queued{.fd = listening_.fd(), .events = POLLIN, .revents = 0};
    EXPECT_EQ(::poll(&queued, 1, 5'000), 1);
  }
  uint16_t port() const { return port_; }

 private:
  TestSocket listening_;
  TestSocket filler_{::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
  uint16_t port_ = 0;
};

TEST_F(ServerTest, OriginThatAnswersNoSynIs504WithinTheConnectTimeout) {
  limits_.connect_timeout = milliseconds(200);
  const DeafListener deaf;
  StartServer(fmt::format("127.0.0.1:{}", deaf.port()));
  const MonoTime begin = Now();
  const TestResponse response = Fetch("/a");
  EXPECT_EQ(response.status, 504);
  EXPECT_THAT(response.Field("Cache-Status"), HasSubstr("detail=connect-timeout"));
  EXPECT_GE(Now() - begin, limits_.connect_timeout);
  EXPECT_LT(Now() - begin, std::chrono::seconds(2));
}

// A name server that runs on a thread of its own.
class RunningNameServer {
 public:
  explicit RunningNameServer(std::vector<std::string> addresses, bool silent = false)
      : server_(io_, std::move(addresses), 60), address_(server_.address()) {
    server_.silent = silent;
    thread_ = std::thread([this] { io_.run(); });
  }
  ~RunningNameServer() {
    io_.stop();
    thread_.join();
  }
  const std::string& address() const { return address_; }

 private:
  asio::io_context io_;
  NameServer server_;
  std::string address_;
  std::thread thread_;
};

TEST_F(ServerTest, OriginsNextAddressIsTriedWhenOneRefuses) {
  origin_ = std::make_unique<testing::ScriptedOrigin>(Answer(Ok("hello", kPrivate)));
  // In either order: whichever the resolver prefers, one of the two meets the refusal first.
  for (const auto& addresses : {std::vector<std::string>{"127.0.0.2", "127.0.0.1"},
                                std::vector<std::string>{"127.0.0.1", "127.0.0.2"}}) {
    const RunningNameServer names(addresses);
    resolver_.servers = names.address();
    StartServer(fmt::format("origin.test:{}", origin_->port()));
    EXPECT_EQ(Fetch("/a").body, "hello") << addresses.front();
    EXPECT_EQ(server_->Stats().origin_errors, 0u);
    server_.reset();
  }
}

TEST_F(ServerTest, AnAddressThatDoesNotAnswerCostsOneDelayAndIsTriedLastFromThenOn) {
  threads_ = 1;
  origin_ = std::make_unique<testing::ScriptedOrigin>(
      Answer(Ok("hello", "Cache-Control: private\r\nConnection: close\r\n")));
  const DeafListener deaf(Loopback(origin_->port(), 2));
  for (const auto& addresses : {std::vector<std::string>{"127.0.0.2", "127.0.0.1"},
                                std::vector<std::string>{"127.0.0.1", "127.0.0.2"}}) {
    const RunningNameServer names(addresses);
    resolver_.servers = names.address();
    StartServer(fmt::format("origin.test:{}", origin_->port()));
    MonoTime begin = Now();
    EXPECT_EQ(Fetch("/a").body, "hello");
    EXPECT_LT(Now() - begin, limits_.connect_timeout - std::chrono::seconds(1));
    begin = Now();
    for (int i = 0; i < 3; ++i) EXPECT_EQ(Fetch("/a").body, "hello");
    EXPECT_LT(Now() - begin, 3 * OriginPool::kAttemptDelay) << "not for each of the three";
    EXPECT_EQ(server_->Stats().origin_errors, 0u);
    server_.reset();
  }
}

TEST_F(ServerTest, OriginWhoseNameServerIsSilentIs502WithinTheResolveTimeout) {
  const RunningNameServer names({}, /*silent=*/true);
  resolver_ = {.timeout = milliseconds(200), .servers = names.address()};
  StartServer("origin.test");
  const MonoTime begin = Now();
  const TestResponse response = Fetch("/a");
  EXPECT_EQ(response.status, 502);
  EXPECT_THAT(response.Field("Cache-Status"), HasSubstr("detail=resolve"));
  EXPECT_GE(Now() - begin, resolver_.timeout);
  EXPECT_LT(Now() - begin, std::chrono::seconds(2));
  server_.reset();
}

TEST_F(ServerTest, OriginOfWhichAllAddressesRefuseIs502) {
  origin_ = std::make_unique<testing::ScriptedOrigin>(Answer(Ok("hello")));
  const RunningNameServer names({"127.0.0.2", "127.0.0.3"});
  resolver_.servers = names.address();
  StartServer(fmt::format("origin.test:{}", origin_->port()));
  EXPECT_EQ(Fetch("/a").status, 502);
  EXPECT_EQ(origin_->connections(), 0);
  server_.reset();
}

TEST_F(ServerTest, ResponseHeadBeyondItsLimitIs502) {
  limits_.max_response_header_bytes = 1'000;
  Start(Answer(Ok("hello", fmt::format("X: {}\r\n", std::string(800, 'x')))));
  EXPECT_EQ(Fetch("/a").body, "hello");
  origin_->SetScript(Answer(Ok("hello", fmt::format("X: {}\r\n", std::string(1'000, 'x')))));
  const TestResponse refused = Fetch("/b");
  EXPECT_EQ(refused.status, 502);
  EXPECT_THAT(refused.Field("Cache-Status"), HasSubstr("detail=malformed"));
}

// --- Kept origin connections ---

TEST_F(ServerTest, IdleOriginConnectionIsClosedAfterItsKeepAlive) {
  limits_.origin_keep_alive = milliseconds(100);
  Gate closed;
  Start([closed](const std::string&, TestSocket& socket) {
    socket.Send(Ok("hello", kPrivate));
    if (socket.AtEnd()) closed.Open();
    return false;
  });
  EXPECT_EQ(Fetch("/a").body, "hello");
  EXPECT_TRUE(closed.Wait());
}

TEST_F(ServerTest, OfIdleOriginConnectionsNoMoreThanTheLimitAreKept) {
  threads_ = 1;
  limits_.max_idle_origin_connections = 1;
  Gate both_asked, one_closed;
  Start([both_asked, one_closed](const std::string&, TestSocket& socket) {
    if (!both_asked.Wait() || !socket.Send(Ok("hello", kPrivate))) return false;
    if (!socket.AtEnd()) return true;
    one_closed.Open();
    return false;
  });
  std::vector<TestSocket> clients = SendMany(1, Get("/a"));
  clients.push_back(std::move(SendMany(1, Get("/b")).front()));
  const MonoTime give_up = Now() + std::chrono::seconds(5);
  while (origin_->requests() < 2 && Now() < give_up) std::this_thread::yield();
  both_asked.Open();
  for (TestSocket& client : clients) EXPECT_EQ(ReadResponse(client).body, "hello");
  EXPECT_TRUE(one_closed.Wait());
  EXPECT_EQ(Fetch("/c").body, "hello");
  EXPECT_EQ(origin_->connections(), 2) << "the other was kept";
}

// --- No descriptor left to accept with ---

// Counts the log lines that contain a text.
class LineCounter : public spdlog::sinks::base_sink<std::mutex> {
 public:
  explicit LineCounter(std::string text) : text_(std::move(text)) {}
  int lines() const { return lines_; }

 private:
  void sink_it_(const spdlog::details::log_msg& line) override {
    if (std::string_view(line.payload.data(), line.payload.size()).find(text_) != std::string_view::npos)
      ++lines_;
  }
  void flush_() override {}

  const std::string text_;
  std::atomic<int> lines_{0};
};

// The limit at which the next descriptor is one too many.
rlim_t DescriptorsInUse() {
  const int lowest_free = ::dup(STDERR_FILENO);
  ::close(lowest_free);
  return static_cast<rlim_t>(lowest_free);
}

// Whether so many have come within 5 s.
bool AwaitAcceptFailures(const Server& server, uint64_t count) {
  const auto failures = [&server] {
    Counters sum;
    server.AddUp(&sum);
    return sum.accept_failures.value();
  };
  const MonoTime give_up = Now() + std::chrono::seconds(5);
  while (failures() < count && Now() < give_up) std::this_thread::yield();
  return failures() >= count;
}

TEST_F(ServerTest, WithoutDescriptorsAcceptingPausesAndServesAgainAfterwards) {
  const auto told = std::make_shared<LineCounter>("connections cannot be accepted");
  StartLogging(LogOptions{.sink = told});
  Start(Answer(Ok("hello")));
  // Stored: a hit needs no descriptor but the client's. The connection stays, so that none becomes free.
  TestSocket earlier = TestSocket::ConnectTo(port());
  earlier.Send(Get("/a"));
  ASSERT_EQ(ReadResponse(earlier).body, "hello");
  rlimit usual{};
  ::getrlimit(RLIMIT_NOFILE, &usual);
  TestSocket client(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  {
    const rlimit exhausted{.rlim_cur = DescriptorsInUse(), .rlim_max = usual.rlim_max};
    ::setrlimit(RLIMIT_NOFILE, &exhausted);
    const absl::Cleanup restore = [&usual] { ::setrlimit(RLIMIT_NOFILE, &usual); };
    Connect(client, port());
    client.Send(Get("/a"));
    ASSERT_TRUE(AwaitAcceptFailures(*server_, 1));
    const MonoTime first = Now();
    EXPECT_TRUE(AwaitAcceptFailures(*server_, 4));
    EXPECT_GE(Now() - first, milliseconds(250)) << "three pauses of 100 ms, not a loop that spins";
  }
  EXPECT_EQ(ReadResponse(client).body, "hello");
  EXPECT_EQ(told->lines(), 1) << "once, not at every try";
  server_.reset();
  StartLogging(LogOptions{});
}

}  // namespace
}  // namespace perigee::replica
