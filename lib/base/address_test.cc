#include "lib/base/address.h"

#include <sys/socket.h>

#include "gtest/gtest.h"

namespace perigee {
namespace {

IpAddress Addr(std::string_view text) { return IpAddress::Parse(text).value(); }

TEST(IpAddress, PrintsWhatItParsed) {
  for (const char* text :
       {"0.0.0.0", "198.18.7.7", "255.255.255.255", "::", "fd00::7", "2001:db8::1:0:0:1"}) {
    EXPECT_EQ(Addr(text).ToString(), text);
  }
}

TEST(IpAddress, RefusesWhatIsNotAnAddress) {
  for (const char* text :
       {"", "1.2.3", "1.2.3.4.5", "256.1.1.1", "fe80::1%eth0", "localhost", " 1.2.3.4", "1.2.3.4 "}) {
    EXPECT_FALSE(IpAddress::Parse(text).ok()) << text;
  }
}

TEST(IpAddress, SurvivesASockaddr) {
  sockaddr_storage storage;
  for (const char* text : {"198.18.7.7", "fd00::7"}) {
    Addr(text).ToSockaddr(53, &storage);
    EXPECT_EQ(IpAddress::FromSockaddr(reinterpret_cast<sockaddr*>(&storage)).value(), Addr(text));
  }
}

TEST(IpAddress, UnwrapsV4MappedFromASocket) {
  sockaddr_storage storage;
  Addr("::ffff:198.18.7.7").ToSockaddr(53, &storage);
  EXPECT_EQ(IpAddress::FromSockaddr(reinterpret_cast<sockaddr*>(&storage)).value(), Addr("198.18.7.7"));
}

TEST(IpPrefix, ContainsItsAddressesAndNoOthers) {
  const IpPrefix p = IpPrefix::Parse("198.18.0.0/15").value();
  EXPECT_TRUE(p.Contains(Addr("198.18.0.0")));
  EXPECT_TRUE(p.Contains(Addr("198.19.255.255")));
  EXPECT_FALSE(p.Contains(Addr("198.20.0.0")));
  EXPECT_FALSE(p.Contains(Addr("::ffff:198.18.0.1")));
  EXPECT_TRUE(IpPrefix::Parse("::/0").value().Contains(Addr("fd00::1")));
}

TEST(IpPrefix, ClearsHostBitsButRefusesThemInText) {
  EXPECT_EQ(IpPrefix(Addr("198.18.7.7"), 24).ToString(), "198.18.7.0/24");
  EXPECT_EQ(IpPrefix(Addr("198.19.255.7"), 15).ToString(), "198.18.0.0/15");
  EXPECT_EQ(IpPrefix(Addr("198.19.255.7"), 0).ToString(), "0.0.0.0/0");
  EXPECT_EQ(IpPrefix(Addr("198.19.255.7"), 99).ToString(), "198.19.255.7/32");
  EXPECT_EQ(IpPrefix(Addr("2001:db8:1:2ff::1"), 56).ToString(), "2001:db8:1:200::/56");
  EXPECT_EQ(IpPrefix(Addr("2001:db8:1:2ff::1"), 57).ToString(), "2001:db8:1:280::/57");
  const auto bad = IpPrefix::Parse("198.18.7.7/24");
  EXPECT_EQ(bad.status().message(), "host bits are set in \"198.18.7.7/24\"; write 198.18.7.0/24");
  EXPECT_FALSE(IpPrefix::Parse("198.18.0.0/33").ok());
  EXPECT_FALSE(IpPrefix::Parse("198.18.0.0/").ok());
}

TEST(ClientPrefix, IsASlash24OrASlash56) {
  EXPECT_EQ(ClientPrefix(Addr("198.18.7.7")).ToString(), "198.18.7.0/24");
  EXPECT_EQ(ClientPrefix(Addr("2001:db8:1:2ff::1")).ToString(), "2001:db8:1:200::/56");
}

TEST(IpEndpoint, NeedsAPortAndBracketsAroundV6) {
  EXPECT_EQ(IpEndpoint::Parse("127.0.0.1:4301").value().port, 4301);
  EXPECT_EQ(IpEndpoint::Parse("[::1]:80").value().ToString(), "[::1]:80");
  for (const char* text : {"127.0.0.1", "::1:80", "127.0.0.1:65536", "127.0.0.1:", ":80", "localhost:80"}) {
    EXPECT_FALSE(IpEndpoint::Parse(text).ok()) << text;
  }
}

}  // namespace
}  // namespace perigee
