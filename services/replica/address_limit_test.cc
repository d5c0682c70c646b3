#include "services/replica/address_limit.h"

#include <gtest/gtest.h>

#include <vector>

namespace perigee::replica {
namespace {

IpAddress At(std::string_view text) { return *IpAddress::Parse(text); }

TEST(AddressLimit, AClientHoldsSoManyAndNoMore) {
  AddressLimit limit(2);
  const auto first = limit.Enter(At("192.0.2.1"));
  auto second = limit.Enter(At("192.0.2.1"));
  EXPECT_TRUE(first && second);
  EXPECT_FALSE(limit.Enter(At("192.0.2.1")));
  EXPECT_TRUE(limit.Enter(At("192.0.2.2"))) << "another client";
  second.reset();
  EXPECT_TRUE(limit.Enter(At("192.0.2.1"))) << "a place was left";
}

TEST(AddressLimit, ASlash64IsOneClient) {
  AddressLimit limit(1);
  const auto first = limit.Enter(At("2001:db8::1"));
  EXPECT_TRUE(first);
  EXPECT_FALSE(limit.Enter(At("2001:db8::ffff:2")));
  EXPECT_TRUE(limit.Enter(At("2001:db8:0:1::1")));
}

TEST(AddressLimit, ThisHostItselfIsNotCounted) {
  AddressLimit limit(1);
  std::vector<AddressLimit::Place> places;
  for (int i = 0; i < 10; ++i) {
    for (const char* here : {"127.0.0.1", "127.3.2.1", "::1"}) {
      auto place = limit.Enter(At(here));
      ASSERT_TRUE(place) << here;
      places.push_back(*std::move(place));
    }
  }
}

}  // namespace
}  // namespace perigee::replica
