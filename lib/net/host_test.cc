#include "lib/net/host.h"

#include "gtest/gtest.h"

namespace perigee {
namespace {

TEST(OwnAddresses, AreNotLoopback) {
  const auto addresses = OwnAddresses();
  ASSERT_TRUE(addresses.ok()) << addresses.status();
  for (const IpAddress& address : *addresses) EXPECT_FALSE(address.is_loopback()) << address.ToString();
}

TEST(IpAddress, KnowsLoopback) {
  for (const char* text : {"127.0.0.1", "127.255.0.1", "::1"}) {
    EXPECT_TRUE(IpAddress::Parse(text)->is_loopback()) << text;
  }
  for (const char* text : {"128.0.0.1", "::2", "::ffff:127.0.0.1"}) {
    EXPECT_FALSE(IpAddress::Parse(text)->is_loopback()) << text;
  }
}

}  // namespace
}  // namespace perigee
