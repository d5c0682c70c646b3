#include "lib/metrics/metrics_server.h"

#include <gmock/gmock.h>

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/write.hpp>
#include <list>
#include <string>

namespace perigee {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;
using testing::HasSubstr;
using testing::StartsWith;

IpEndpoint AnyPort() { return IpEndpoint::Parse("127.0.0.1:0").value(); }

std::vector<prometheus::MetricFamily> OneCounter() {
  prometheus::ClientMetric metric;
  metric.counter.value = 7;
  return {{"queries_total", "Queries.", prometheus::MetricType::Counter, {metric}}};
}

MetricsPages Pages(HealthVerdict alive = {}, HealthVerdict ready = {}) {
  return {.metrics = OneCounter,
          .alive = [alive = std::move(alive)] { return alive; },
          .ready = [ready = std::move(ready)] { return ready; }};
}

class Client {
 public:
  explicit Client(const MetricsServer& server) : socket_(context_) {
    socket_.connect({asio::ip::address_v4::loopback(), server.port()});
  }
  // Ignores errors: the server may have hung up already.
  void Send(std::string_view text) {
    boost::system::error_code error;
    asio::write(socket_, asio::buffer(text), error);
  }
  // Until the server hangs up.
  std::string ReadAll() {
    std::string answer;
    boost::system::error_code error;
    asio::read(socket_, asio::dynamic_buffer(answer), error);
    return answer;
  }

 private:
  asio::io_context context_;
  tcp::socket socket_;
};

std::string Ask(const MetricsServer& server, std::string_view request) {
  Client client(server);
  client.Send(request);
  return client.ReadAll();
}

TEST(MetricsServer, AnswersAScrapeWithTheTextFormat) {
  const auto server = MetricsServer::Start(AnyPort(), Pages()).value();
  const std::string answer = Ask(*server, "GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n");
  EXPECT_THAT(answer, StartsWith("HTTP/1.1 200 OK\r\n"));
  EXPECT_THAT(answer, HasSubstr("Content-Type: text/plain; version=0.0.4"));
  EXPECT_THAT(answer,
              HasSubstr("# HELP queries_total Queries.\n# TYPE queries_total counter\nqueries_total 7\n"));
}

TEST(MetricsServer, ServesNothingElse) {
  const auto server = MetricsServer::Start(AnyPort(), Pages()).value();
  EXPECT_THAT(Ask(*server, "GET / HTTP/1.1\r\nHost: x\r\n\r\n"), StartsWith("HTTP/1.1 404 "));
  EXPECT_THAT(Ask(*server, "GET /metricsx HTTP/1.1\r\nHost: x\r\n\r\n"), StartsWith("HTTP/1.1 404 "));
  EXPECT_THAT(Ask(*server, "GET /metrics?x=1 HTTP/1.1\r\nHost: x\r\n\r\n"), StartsWith("HTTP/1.1 200 "));
  EXPECT_THAT(Ask(*server, "DELETE /metrics HTTP/1.1\r\nHost: x\r\n\r\n"),
              testing::AllOf(StartsWith("HTTP/1.1 405 "), HasSubstr("Allow: GET, HEAD\r\n")));
  EXPECT_THAT(Ask(*server, "nonsense\r\n\r\n"), StartsWith("HTTP/1.1 400 "));
}

TEST(MetricsServer, SaysWhetherItIsAliveAndReady) {
  const auto well = MetricsServer::Start(AnyPort(), Pages()).value();
  for (const std::string path : {"/healthz", "/readyz"}) {
    EXPECT_THAT(Ask(*well, "GET " + path + " HTTP/1.1\r\nHost: x\r\n\r\n"),
                testing::AllOf(StartsWith("HTTP/1.1 200 OK\r\n"), HasSubstr("Cache-Control: no-store\r\n"),
                               testing::EndsWith("\r\n\r\nok\n")));
  }
  const auto ill =
      MetricsServer::Start(AnyPort(), Pages({.failures = {"stuck"}},
                                            {.failures = {"draining", "stopping"}, .degraded = {"no disk"}}))
          .value();
  EXPECT_THAT(Ask(*ill, "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"),
              testing::AllOf(StartsWith("HTTP/1.1 503 "), testing::EndsWith("\r\n\r\nstuck\n")));
  EXPECT_THAT(Ask(*ill, "GET /readyz HTTP/1.1\r\nHost: x\r\n\r\n"),
              testing::AllOf(StartsWith("HTTP/1.1 503 "),
                             testing::EndsWith("\r\n\r\ndraining\nstopping\ndegraded: no disk\n")));
}

TEST(MetricsServer, ToHeadSaysTheSameWithoutABody) {
  const auto server = MetricsServer::Start(AnyPort(), Pages({.failures = {"stuck"}})).value();
  EXPECT_THAT(Ask(*server, "HEAD /healthz HTTP/1.1\r\nHost: x\r\n\r\n"),
              testing::AllOf(StartsWith("HTTP/1.1 503 "), HasSubstr("Content-Length: 6\r\n"),
                             testing::EndsWith("\r\n\r\n")));
  EXPECT_THAT(Ask(*server, "HEAD /metrics HTTP/1.1\r\nHost: x\r\n\r\n"),
              testing::AllOf(StartsWith("HTTP/1.1 200 "), testing::EndsWith("\r\n\r\n")));
}

TEST(MetricsServer, RefusesAnEndlessHead) {
  const auto server = MetricsServer::Start(AnyPort(), Pages(), {.max_header_size = 512}).value();
  EXPECT_THAT(Ask(*server, "GET /metrics HTTP/1.1\r\nX: " + std::string(512, 'x')),
              testing::Not(HasSubstr("200 OK")));
}

TEST(MetricsServer, HangsUpOnASilentClientAtTheDeadline) {
  const auto server =
      MetricsServer::Start(AnyPort(), Pages(), {.deadline = std::chrono::milliseconds(50)}).value();
  EXPECT_EQ(Client(*server).ReadAll(), "");
  EXPECT_EQ(Ask(*server, "GET /metrics HTTP/1.1\r\n"), "");
}

TEST(MetricsServer, ServesOneBesideTheSilentUpToTheLimit) {
  const MetricsLimits limits{.deadline = std::chrono::minutes(1)};
  const auto server = MetricsServer::Start(AnyPort(), Pages(), limits).value();
  std::list<Client> silent;
  for (size_t i = 1; i < limits.max_connections; ++i) silent.emplace_back(*server);
  const std::string request = "GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n";
  Client last(*server);
  EXPECT_EQ(Ask(*server, request), "");
  last.Send(request);
  EXPECT_THAT(last.ReadAll(), HasSubstr("200 OK"));
}

TEST(MetricsServer, AnAddressInUseIsNamed) {
  const auto server = MetricsServer::Start(AnyPort(), Pages()).value();
  const IpEndpoint taken{AnyPort().address, server->port()};
  EXPECT_THAT(std::string(MetricsServer::Start(taken, Pages()).status().message()),
              HasSubstr("cannot serve metrics on " + taken.ToString()));
}

}  // namespace
}  // namespace perigee
