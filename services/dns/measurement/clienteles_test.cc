#include "services/dns/measurement/clienteles.h"

#include "fmt/format.h"
#include "gtest/gtest.h"

namespace perigee::dns {
namespace {

using std::chrono::seconds;

const IpPrefix kResolver = *IpPrefix::Parse("203.0.113.0/24");

// In a /16 of its own.
IpPrefix Client(size_t network, size_t host = 0) {
  return *IpPrefix::Parse(fmt::format("10.{}.{}.0/24", network, host));
}

class ClientelesTest : public testing::Test {
 protected:
  bool Join(const IpPrefix& client, const IpPrefix& resolver = kResolver) {
    return clienteles_.Join(resolver, client, now_);
  }
  std::vector<IpPrefix> Clients() const { return clienteles_.Of(kResolver, now_); }

  Clienteles clienteles_;
  MonoTime now_{seconds(1000)};
};

TEST_F(ClientelesTest, AClientHasOneSeat) {
  EXPECT_TRUE(Clients().empty());
  EXPECT_TRUE(Join(Client(1)));
  EXPECT_TRUE(Join(Client(2)));
  EXPECT_FALSE(Join(Client(1)));
  EXPECT_EQ(Clients(), std::vector({Client(2), Client(1)}));
  EXPECT_EQ(clienteles_.ResolverOf(Client(1)), kResolver);
  EXPECT_FALSE(clienteles_.ResolverOf(Client(3)));
}

TEST_F(ClientelesTest, WhenAllSeatsAreTakenTheOneThatCameFirstGoes) {
  for (size_t i = 0; i < kSeats; ++i) Join(Client(i));
  Join(Client(0));
  EXPECT_TRUE(Join(Client(100)));
  EXPECT_EQ(Clients().size(), kSeats);
  EXPECT_EQ(Clients().front(), Client(2));
  EXPECT_FALSE(clienteles_.ResolverOf(Client(1)));
}

TEST_F(ClientelesTest, OneNetworkCannotTakeTheSeatsOfOthers) {
  for (size_t i = 0; i < 5; ++i) Join(Client(i));
  for (size_t host = 0; host < 200; ++host) Join(Client(66, host));
  const auto clients = Clients();
  EXPECT_EQ(clients.size(), 5 + kSeatsOfANetwork);
  for (size_t i = 0; i < 5; ++i) EXPECT_EQ(clients[i], Client(i));
  EXPECT_EQ(clients.back(), Client(66, 199));
}

TEST_F(ClientelesTest, AnIpv6NetworkIsA32) {
  Join(Client(1));
  for (size_t site = 0; site < 200; ++site)
    Join(*IpPrefix::Parse(fmt::format("2001:db8:{:x}:100::/56", site)));
  EXPECT_EQ(Clients().size(), 1 + kSeatsOfANetwork);
}

TEST_F(ClientelesTest, ASeatIsFreeADayAfterItsLastBeacon) {
  Join(Client(1));
  now_ += kSeatLife - seconds(1);
  Join(Client(2));
  now_ += seconds(2);
  EXPECT_EQ(Clients(), std::vector({Client(2)}));
}

TEST_F(ClientelesTest, AClientOfTwoResolversCountsForBoth) {
  const IpPrefix other = *IpPrefix::Parse("198.51.100.0/24");
  Join(Client(1));
  Join(Client(1), other);
  EXPECT_EQ(Clients(), std::vector({Client(1)}));
  EXPECT_EQ(clienteles_.Of(other, now_), std::vector({Client(1)}));
  EXPECT_EQ(clienteles_.ResolverOf(Client(1)), other);
}

TEST_F(ClientelesTest, TheResolverWithTheOldestBeaconIsForgotten) {
  const auto resolver = [](size_t i) {
    return *IpPrefix::Parse(fmt::format("172.{}.{}.0/24", i / 256, i % 256));
  };
  Join(Client(1));
  Join(Client(2), resolver(0));
  Join(Client(3));
  for (size_t i = 1; i < kMaxClienteles; ++i) Join(Client(4), resolver(i));
  EXPECT_TRUE(clienteles_.Of(resolver(0), now_).empty());
  EXPECT_FALSE(clienteles_.ResolverOf(Client(2)));
  EXPECT_EQ(Clients().size(), 2u);
}

}  // namespace
}  // namespace perigee::dns
