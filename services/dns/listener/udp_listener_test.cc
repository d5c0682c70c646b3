#include "services/dns/listener/udp_listener.h"

#include <fcntl.h>
#include <sys/socket.h>

#include <random>
#include <thread>

#include "gmock/gmock.h"
#include "services/dns/listener/testing/client.h"
#include "services/dns/responder/testing/desk.h"
#include "services/dns/responder/testing/fake_steering.h"

namespace perigee::dns {
namespace {

using testing::AnswerV4;
using testing::Bytes;
using testing::FakeSteering;
using ::testing::HasSubstr;
using testing::MakeQuery;
using testing::UdpClient;

IpEndpoint At(std::string_view text) { return IpEndpoint::Parse(text).value(); }

std::vector<OpenPort> Open(const std::vector<IpEndpoint>& addresses, int sockets) {
  std::vector<OpenPort> ports;
  for (const IpEndpoint& address : addresses)
    ports.push_back(OpenUdpPort({Protocol::kUdp, address}, sockets).value());
  return ports;
}

// A server with a steering of its own; knows nobody, or everybody.
struct Server {
  explicit Server(const std::vector<IpEndpoint>& addresses,
                  std::optional<SteeredAnswer> everybody = std::nullopt)
      : steering(everybody),
        desk(&steering),
        listener(UdpListener::Serve(Open(addresses, 2), {.threads_per_address = 2}, desk.factory())) {}

  IpEndpoint endpoint(size_t i = 0) const { return listener->endpoints().at(i); }

  FakeSteering steering;
  testing::Desk desk;
  std::unique_ptr<UdpListener> listener;
};

TEST(UdpListener, AnswersOverBothFamilies) {
  Server server({At("127.0.0.1:0"), At("[::1]:0")}, AnswerV4("198.18.0.7"));
  for (size_t i = 0; i < 2; ++i) {
    UdpClient client(server.endpoint(i));
    client.Send(MakeQuery({.name = "cdn.example.org"}));
    const auto answer = client.Receive();
    ASSERT_TRUE(answer.has_value());
    EXPECT_EQ(answer->answer.at(0).text, "198.18.0.7");
  }
}

TEST(UdpListener, AnswersFromTheAddressThatWasAsked) {
  Server server({At("0.0.0.0:0"), At("[::]:0")}, AnswerV4("198.18.0.7"));
  for (const char* address : {"127.0.0.1", "127.0.0.2", "127.1.2.3"}) {
    UdpClient client({IpAddress::Parse(address).value(), server.endpoint(0).port});
    client.Send(MakeQuery({.name = "cdn.example.org"}));
    ASSERT_TRUE(client.Receive().has_value());
    EXPECT_EQ(client.answered_from().ToString(), address);
  }
  UdpClient client({IpAddress::Parse("::1").value(), server.endpoint(1).port});
  client.Send(MakeQuery({.name = "cdn.example.org"}));
  EXPECT_TRUE(client.Receive().has_value());
}

TEST(UdpListener, SendsParkedAnswersFromAnyThreadInAnyOrder) {
  Server server({At("0.0.0.0:0")});
  UdpClient client({IpAddress::Parse("127.0.0.3").value(), server.endpoint().port});
  client.Send(MakeQuery({.name = "cdn.example.org", .id = 1}));
  auto first = server.steering.TakeParked(1);
  client.Send(MakeQuery({.name = "cdn.example.org", .id = 2}));
  auto second = server.steering.TakeParked(1);
  client.Send(MakeQuery({.name = "example.net", .id = 3}));
  EXPECT_EQ(client.Receive()->id, 3);
  const SteeredAnswer answer = AnswerV4("198.18.0.9");
  for (auto* parked : {&second, &first}) std::thread([&] { parked->at(0)(&answer); }).join();
  for (const int id : {2, 1}) {
    const auto message = client.Receive();
    ASSERT_TRUE(message.has_value());
    EXPECT_EQ(message->id, id);
    EXPECT_EQ(message->answer.at(0).text, "198.18.0.9");
    EXPECT_EQ(client.answered_from().ToString(), "127.0.0.3");
  }
}

TEST(UdpListener, SendsNothingForADroppedQuery) {
  Server server({At("127.0.0.1:0")});
  UdpClient client(server.endpoint());
  client.Send(MakeQuery({.name = "cdn.example.org"}));
  server.steering.TakeParked(1).at(0)(nullptr);
  EXPECT_FALSE(client.HasAnswer());
}

TEST(UdpListener, AnAnswerAfterTheEndGoesNowhere) {
  auto server = std::make_unique<Server>(std::vector{At("127.0.0.1:0")});
  UdpClient client(server->endpoint());
  client.Send(MakeQuery({.name = "cdn.example.org"}));
  auto parked = server->steering.TakeParked(1);
  server->listener.reset();
  const SteeredAnswer answer = AnswerV4("198.18.0.9");
  parked.at(0)(&answer);
  EXPECT_FALSE(client.HasAnswer());
}

TEST(UdpListener, SurvivesAFloodOfGarbage) {
  Server server({At("127.0.0.1:0")}, AnswerV4("198.18.0.7"));
  std::mt19937 random(7);
  UdpClient vandal(server.endpoint());
  for (int i = 0; i < 20'000; ++i) {
    Bytes bytes(random() % 2500);
    for (uint8_t& octet : bytes) octet = static_cast<uint8_t>(random());
    vandal.Send(bytes);
  }
  UdpClient client(server.endpoint());
  client.Send(MakeQuery({.name = "cdn.example.org"}));
  EXPECT_TRUE(client.Receive().has_value());
}

TEST(UdpListener, SurvivesClientsThatAreGoneBeforeTheirAnswer) {
  Server server({At("127.0.0.1:0")}, AnswerV4("198.18.0.7"));
  for (int i = 0; i < 200; ++i) UdpClient(server.endpoint()).Send(MakeQuery({.name = "cdn.example.org"}));
  UdpClient client(server.endpoint());
  client.Send(MakeQuery({.name = "cdn.example.org"}));
  EXPECT_TRUE(client.Receive().has_value());
}

TEST(UdpListener, NamesThePortThatIsInUse) {
  Server server({At("127.0.0.1:0")});
  const auto second = OpenUdpPort({Protocol::kUdp, server.endpoint()}, 1);
  EXPECT_EQ(second.status().code(), absl::StatusCode::kUnavailable);
  EXPECT_THAT(std::string(second.status().message()),
              HasSubstr("cannot listen on UDP " + server.endpoint().ToString() + ": Address already in use"));
}

TEST(UdpListener, EachThreadShowsThatItGoesRound) {
  LifeSigns life;
  FakeSteering steering(AnswerV4("198.18.0.7"));
  testing::Desk desk(&steering);
  const auto listener = UdpListener::Serve(Open({At("127.0.0.1:0")}, 1),
                                           {.threads_per_address = 1, .life = &life}, desk.factory());
  const IpEndpoint endpoint = listener->endpoints().at(0);
  const MonoTime asked = std::chrono::steady_clock::now();
  UdpClient client(endpoint);
  client.Send(MakeQuery({.name = "cdn.example.org"}));
  ASSERT_TRUE(client.Receive().has_value());
  EXPECT_TRUE(life.Verdict(asked + kLifeSignLimit).ok()) << "a sign came with the query";
  const HealthVerdict stuck = life.Verdict(asked + std::chrono::hours(1));
  ASSERT_EQ(stuck.failures.size(), 1u);
  EXPECT_THAT(stuck.failures[0],
              HasSubstr("UDP thread 1 of " + endpoint.ToString() + " has been stuck for 3"));
}

TEST(UdpListener, FreesItsPortAtItsEnd) {
  auto server = std::make_unique<Server>(std::vector{At("127.0.0.1:0")});
  const IpEndpoint endpoint = server->endpoint();
  server.reset();
  EXPECT_NO_THROW(Server({endpoint}));
}

// As systemd passes it on: not blocking, and its own copy stays open.
struct Parent {
  Parent() : socket(BindUdp(At("127.0.0.1:0"), Sharing::kFirst).value()) {
    fcntl(socket.fd(), F_SETFL, fcntl(socket.fd(), F_GETFL) | O_NONBLOCK);
  }
  OpenPort Pass() const {
    const PortPlan plan{Protocol::kUdp, BoundEndpoint(socket.fd()).value(), {dup(socket.fd())}};
    return OpenUdpPort(plan, 2).value();
  }
  std::unique_ptr<UdpListener> Serve(const ResponderFactory& responders) const {
    std::vector<OpenPort> ports;
    ports.push_back(Pass());
    return UdpListener::Serve(std::move(ports), {.threads_per_address = 2}, responders);
  }

  Socket socket;
};

TEST(UdpListener, APassedSocketIsServedByTheNextListenerToo) {
  const Parent parent;
  FakeSteering steering(AnswerV4("198.18.0.7"));
  testing::Desk desk(&steering);
  for (int round = 0; round < 2; ++round) {
    const auto listener = parent.Serve(desk.factory());
    UdpClient client(listener->endpoints().at(0));
    client.Send(MakeQuery({.name = "cdn.example.org"}));
    EXPECT_TRUE(client.Receive().has_value()) << "round " << round;
  }
  // Were it shut down, a read would return at once, and whoever has it next would spin.
  const timeval soon{.tv_sec = 0, .tv_usec = 10'000};
  setsockopt(parent.socket.fd(), SOL_SOCKET, SO_RCVTIMEO, &soon, sizeof(soon));
  char octet = 0;
  EXPECT_EQ(recv(parent.socket.fd(), &octet, 1, 0), -1);
  EXPECT_EQ(errno, EAGAIN);
}

TEST(UdpListener, APassedSocketIsMadeToBlock) {
  const OpenPort port = Parent().Pass();
  EXPECT_EQ(port.sockets.size(), 1u);
  EXPECT_EQ(fcntl(port.sockets.at(0).fd(), F_GETFL) & O_NONBLOCK, 0) << "its thread would spin";
}

}  // namespace
}  // namespace perigee::dns
