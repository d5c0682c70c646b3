#include "services/dns/listener/tcp_listener.h"

#include <sys/resource.h>

#include <random>

#include "gmock/gmock.h"
#include "services/dns/listener/testing/client.h"
#include "services/dns/responder/testing/desk.h"
#include "services/dns/responder/testing/fake_steering.h"

namespace perigee::dns {
namespace {

using namespace std::chrono_literals;
using testing::AnswerV4;
using testing::Bytes;
using testing::FakeSteering;
using ::testing::HasSubstr;
using testing::MakeQuery;
using testing::TcpClient;

IpEndpoint At(std::string_view text) { return IpEndpoint::Parse(text).value(); }

std::vector<OpenPort> Open(const std::vector<IpEndpoint>& addresses) {
  std::vector<OpenPort> ports;
  for (const IpEndpoint& address : addresses) ports.push_back(OpenTcpPort({Protocol::kTcp, address}).value());
  return ports;
}

struct Server {
  explicit Server(TcpOptions options, std::optional<SteeredAnswer> everybody = std::nullopt,
                  const std::vector<IpEndpoint>& addresses = {At("127.0.0.1:0")})
      : steering(everybody), desk(&steering) {
    options.counters = &counters;
    listener = TcpListener::Serve(Open(addresses), options, desk.factory());
  }

  IpEndpoint endpoint(size_t i = 0) const { return listener->endpoints().at(i); }

  // Whatever a test expects of them: all connections are closed by then, those still open as kStopped.
  const TcpCounters& CountersAtTheEnd() {
    listener.reset();
    EXPECT_EQ(counters.opened.value(), counters.closed.sum());
    return counters;
  }

  FakeSteering steering;
  testing::Desk desk;
  TcpCounters counters;
  std::unique_ptr<TcpListener> listener;
};

Bytes Query(uint16_t id) { return MakeQuery({.name = "cdn.example.org", .id = id}); }

TEST(TcpListener, AnswersOverBothFamilies) {
  Server server({}, AnswerV4("198.18.0.7"), {At("127.0.0.1:0"), At("[::1]:0")});
  for (size_t i = 0; i < 2; ++i) {
    TcpClient client(server.endpoint(i));
    client.Send(Query(1));
    const auto answer = client.Receive();
    ASSERT_TRUE(answer.has_value());
    EXPECT_EQ(answer->answer.at(0).text, "198.18.0.7");
  }
}

TEST(TcpListener, AnswersPipelinedQueriesHoweverTheyAreCut) {
  Server server({}, AnswerV4("198.18.0.7"));
  TcpClient client(server.endpoint());
  Bytes stream;
  for (uint16_t id = 0; id < 500; ++id) {
    const Bytes query = Query(id);
    stream.insert(stream.end(), {0, static_cast<uint8_t>(query.size())});
    stream.insert(stream.end(), query.begin(), query.end());
  }
  for (size_t at = 0; at < stream.size(); at += 7) {
    client.SendRaw(std::span(stream).subspan(at, std::min<size_t>(7, stream.size() - at)));
  }
  for (uint16_t id = 0; id < 500; ++id) {
    const auto answer = client.Receive();
    ASSERT_TRUE(answer.has_value());
    ASSERT_EQ(answer->id, id);
  }
}

TEST(TcpListener, OvertakesAParkedQuery) {
  Server server({});
  TcpClient client(server.endpoint());
  client.Send(Query(1));
  client.Send(MakeQuery({.name = "example.net", .id = 2}));
  EXPECT_EQ(client.Receive()->id, 2);
  const SteeredAnswer answer = AnswerV4("198.18.0.9");
  server.steering.TakeParked(1).at(0)(&answer);
  const auto late = client.Receive();
  ASSERT_TRUE(late.has_value());
  EXPECT_EQ(late->id, 1);
  EXPECT_EQ(late->answer.at(0).text, "198.18.0.9");
}

TEST(TcpListener, ReadsNoFurtherWhileTooManyQueriesAreParked) {
  Server server({.max_parked_per_connection = 2});
  TcpClient client(server.endpoint());
  for (uint16_t id = 1; id <= 3; ++id) client.Send(Query(id));
  client.Send(MakeQuery({.name = "example.net", .id = 4}));
  auto parked = server.steering.TakeParked(2);
  ASSERT_EQ(parked.size(), 2u);
  const SteeredAnswer answer = AnswerV4("198.18.0.9");
  parked[1](&answer);
  EXPECT_EQ(client.Receive()->id, 2);
  auto third = server.steering.TakeParked(1);
  third.at(0)(nullptr);
  EXPECT_EQ(client.Receive()->id, 4);
  parked[0](&answer);
  EXPECT_EQ(client.Receive()->id, 1);
}

TEST(TcpListener, AnswersAClientThatHasClosedItsHalf) {
  Server server({});
  TcpClient client(server.endpoint());
  client.Send(Query(1));
  client.CloseHalf();
  const SteeredAnswer answer = AnswerV4("198.18.0.9");
  server.steering.TakeParked(1).at(0)(&answer);
  EXPECT_EQ(client.Receive()->id, 1);
  EXPECT_TRUE(client.IsClosed());
}

TEST(TcpListener, ClosesOnAMessageThatCannotBeAQuery) {
  Server server({}, AnswerV4("198.18.0.7"));
  for (const Bytes& prefix : {Bytes{0, 0}, Bytes{0, 11}, Bytes{0x10, 0x01}, Bytes{0xff, 0xff}}) {
    TcpClient client(server.endpoint());
    client.SendRaw(prefix);
    EXPECT_TRUE(client.IsClosed());
  }
  EXPECT_EQ(server.CountersAtTheEnd().closed[TcpClose::kMalformed].value(), 4u);
}

TEST(TcpListener, CountsConnectionsThatTheirClientsCloseAndThoseThatItsEndDoes) {
  Server server({}, AnswerV4("198.18.0.7"));
  TcpClient stays(server.endpoint());
  stays.Send(Query(1));
  EXPECT_TRUE(stays.Receive().has_value());
  {
    TcpClient goes(server.endpoint());
    goes.Send(Query(1));
    EXPECT_TRUE(goes.Receive().has_value());
    goes.CloseHalf();
    EXPECT_TRUE(goes.IsClosed());
  }
  const TcpCounters& counters = server.CountersAtTheEnd();
  EXPECT_EQ(counters.opened.value(), 2u);
  EXPECT_EQ(counters.closed[TcpClose::kClient].value(), 1u);
  EXPECT_EQ(counters.closed[TcpClose::kStopped].value(), 1u);
}

TEST(TcpListener, ClosesSilentAndSlowAndUnreadingClients) {
  Server server({.idle_timeout = 50ms}, AnswerV4("198.18.0.7"));
  TcpClient silent(server.endpoint());
  EXPECT_TRUE(silent.IsClosed());
  TcpClient slow(server.endpoint());
  slow.SendRaw(Bytes{0, 33, 1, 2, 3});
  EXPECT_TRUE(slow.IsClosed());
  TcpClient unreading(server.endpoint());
  const Bytes query = Query(1);
  for (int i = 0; i < 200'000; ++i) unreading.Send(query);  // ends early once the server has closed
  TcpClient other(server.endpoint());
  other.Send(query);
  EXPECT_TRUE(other.Receive().has_value());
  EXPECT_GE(server.CountersAtTheEnd().closed[TcpClose::kIdle].value(), 2u);
}

TEST(TcpListener, ThousandSilentConnectionsDoNotShutOthersOut) {
  rlimit files{4096, 4096};
  getrlimit(RLIMIT_NOFILE, &files);
  files.rlim_cur = std::min<rlim_t>(files.rlim_max, 4096);
  setrlimit(RLIMIT_NOFILE, &files);
  Server server({}, AnswerV4("198.18.0.7"));
  std::vector<std::unique_ptr<TcpClient>> silent;
  for (int i = 0; i < 1000; ++i) silent.push_back(std::make_unique<TcpClient>(server.endpoint()));
  TcpClient client(server.endpoint());
  client.Send(Query(1));
  EXPECT_TRUE(client.Receive().has_value());
  EXPECT_TRUE(silent.front()->IsClosed());  // it was quiet longest and made room
  EXPECT_EQ(server.CountersAtTheEnd().closed[TcpClose::kClientLimit].value(),
            1001 - TcpOptions().max_connections_per_client);
}

TEST(TcpListener, AtTheTotalLimitTheQuietestOfAllClientsMakesRoom) {
  Server server({.max_connections = 3, .max_connections_per_client = 2}, AnswerV4("198.18.0.7"));
  const auto served = [](TcpClient& client) {
    client.Send(Query(1));
    return client.Receive().has_value();
  };
  std::vector<std::unique_ptr<TcpClient>> clients;
  for (const char* source : {"127.0.0.2", "127.0.0.3", "127.0.0.4"}) {
    clients.push_back(std::make_unique<TcpClient>(server.endpoint(), IpAddress::Parse(source).value()));
    ASSERT_TRUE(served(*clients.back())) << source;
  }
  ASSERT_TRUE(served(*clients[0]));  // now 127.0.0.3 has been quiet longest
  TcpClient newcomer(server.endpoint(), IpAddress::Parse("127.0.0.5").value());
  EXPECT_TRUE(served(newcomer));
  EXPECT_TRUE(clients[1]->IsClosed());
  EXPECT_TRUE(served(*clients[0]));
  EXPECT_TRUE(served(*clients[2]));
  EXPECT_EQ(server.CountersAtTheEnd().closed[TcpClose::kTotalLimit].value(), 1u);
}

TEST(TcpListener, SurvivesAFloodOfGarbage) {
  Server server({}, AnswerV4("198.18.0.7"));
  std::mt19937 random(7);
  for (int i = 0; i < 300; ++i) {
    TcpClient vandal(server.endpoint());
    Bytes bytes(random() % 2500);
    for (uint8_t& octet : bytes) octet = static_cast<uint8_t>(random());
    if (i % 2 == 0) vandal.Send(bytes);
    vandal.SendRaw(bytes);
  }
  TcpClient client(server.endpoint());
  client.Send(Query(1));
  EXPECT_TRUE(client.Receive().has_value());
}

TEST(TcpListener, AnAnswerAfterTheConnectionOrTheServerGoesNowhere) {
  const SteeredAnswer answer = AnswerV4("198.18.0.9");
  auto server = std::make_unique<Server>(TcpOptions{});
  const auto park = [&](TcpClient& client) {
    client.Send(Query(1));
    return server->steering.TakeParked(1);
  };
  auto gone = std::make_unique<TcpClient>(server->endpoint());
  auto first = park(*gone);
  gone.reset();
  const auto give_up = std::chrono::steady_clock::now() + 20s;
  while (server->counters.closed.sum() == 0 && std::chrono::steady_clock::now() < give_up) {
  }
  first.at(0)(&answer);
  TcpClient client(server->endpoint());
  auto second = park(client);
  EXPECT_EQ(server->counters.answers_lost.value(), 1u);
  server->listener.reset();
  second.at(0)(&answer);
  EXPECT_TRUE(client.IsClosed());
}

TEST(TcpListener, NamesThePortThatIsInUse) {
  Server server({});
  const auto second = OpenTcpPort({Protocol::kTcp, server.endpoint()});
  EXPECT_EQ(second.status().code(), absl::StatusCode::kUnavailable);
  EXPECT_THAT(std::string(second.status().message()),
              HasSubstr("cannot listen on TCP " + server.endpoint().ToString()));
}

TEST(TcpListener, APassedSocketIsServedByTheNextListenerToo) {
  const Socket parent = ListenTcp(At("127.0.0.1:0")).value();
  FakeSteering steering(AnswerV4("198.18.0.7"));
  testing::Desk desk(&steering);
  for (int round = 0; round < 2; ++round) {
    std::vector<OpenPort> ports;
    const IpEndpoint bound = BoundEndpoint(parent.fd()).value();
    ports.push_back(OpenTcpPort({Protocol::kTcp, bound, {dup(parent.fd())}}).value());
    const auto listener = TcpListener::Serve(std::move(ports), {}, desk.factory());
    EXPECT_EQ(listener->endpoints().at(0), bound);
    TcpClient client(bound);
    client.Send(MakeQuery({.name = "cdn.example.org"}));
    EXPECT_TRUE(client.Receive().has_value()) << "round " << round;
  }
}

}  // namespace
}  // namespace perigee::dns
