#include "services/replica/session/port_handover.h"

#include <sys/socket.h>

#include <string>
#include <utility>
#include <vector>

#include "gtest/gtest.h"
#include "services/replica/session/listener.h"

namespace perigee::replica {
namespace {

constexpr int kConnections = 100;

std::vector<perigee::Socket> Listen(const IpEndpoint& endpoint, int sockets) {
  auto listening = ListenOnAll({endpoint}, sockets, /*share_port=*/true);
  EXPECT_TRUE(listening.ok()) << listening.status();
  std::vector<perigee::Socket> all;
  for (auto& of_worker : listening->of_workers) all.push_back(std::move(of_worker.front()));
  return all;
}

void Connect(const IpEndpoint& endpoint) {
  sockaddr_storage address;
  const socklen_t length = endpoint.address.ToSockaddr(endpoint.port, &address);
  const perigee::Socket client(::socket(address.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0));
  EXPECT_EQ(::connect(client.fd(), reinterpret_cast<const sockaddr*>(&address), length), 0);
}

int Accepted(const std::vector<perigee::Socket>& sockets) {
  int count = 0;
  for (const perigee::Socket& socket : sockets) {
    while (true) {
      const perigee::Socket connection(::accept4(socket.fd(), nullptr, nullptr, SOCK_CLOEXEC));
      if (connection.fd() < 0) break;
      ++count;
    }
  }
  return count;
}

struct Sizes {
  const char* address;
  int older;
  int newer;
};

class PortHandover : public testing::TestWithParam<Sizes> {};

TEST_P(PortHandover, LeavesTheOlderSocketsNothing) {
  const auto [address, older, newer] = GetParam();
  std::vector<perigee::Socket> first = Listen({*IpAddress::Parse(address), 0}, older);
  const IpEndpoint endpoint = *BoundEndpoint(first.front().fd());
  EXPECT_FALSE(YieldNewConnections(first.front().fd(), older)) << "to nobody";

  for (int generation = 0; generation < 3; ++generation) {
    std::vector<perigee::Socket> second = Listen(endpoint, newer);
    const int own = static_cast<int>(first.size());
    for (int i = 0; i < kConnections; ++i) Connect(endpoint);
    EXPECT_GT(Accepted(first), 0) << "they share it until one yields";
    Accepted(second);

    ASSERT_TRUE(YieldNewConnections(first.front().fd(), own));
    for (int i = 0; i < kConnections; ++i) Connect(endpoint);
    EXPECT_EQ(Accepted(first), 0);
    EXPECT_EQ(Accepted(second), kConnections);

    first.clear();
    SpreadNewConnections(second.front().fd());
    for (int i = 0; i < kConnections; ++i) Connect(endpoint);
    for (const perigee::Socket& socket : second) {
      std::vector<perigee::Socket> one;
      one.emplace_back(::dup(socket.fd()));
      EXPECT_GT(Accepted(one), 0) << "of generation " << generation;
    }
    first = std::move(second);
  }
}

INSTANTIATE_TEST_SUITE_P(All, PortHandover,
                         testing::Values(Sizes{"127.0.0.1", 2, 2}, Sizes{"127.0.0.1", 1, 3},
                                         Sizes{"127.0.0.1", 3, 1}, Sizes{"0.0.0.0", 2, 2},
                                         Sizes{"::1", 2, 2}));

}  // namespace
}  // namespace perigee::replica
