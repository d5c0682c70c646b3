#include "services/replica/fetch/connect_order.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace perigee::replica {
namespace {

using ::testing::ElementsAre;

class ConnectOrderTest : public ::testing::Test {
 protected:
  std::vector<std::string> Order(const std::vector<std::string>& texts) {
    std::vector<IpAddress> addresses;
    for (const std::string& text : texts) addresses.push_back(*IpAddress::Parse(text));
    std::vector<std::string> order;
    for (const IpAddress& address : order_.Of(addresses, now_)) order.push_back(address.ToString());
    return order;
  }
  void Fail(const std::string& text) { order_.Failed(*IpAddress::Parse(text), now_); }

  MonoTime now_ = MonoTime(std::chrono::hours(1));
  ConnectOrder order_;
};

TEST_F(ConnectOrderTest, FamiliesTakeTurnsBeginningWithThePreferred) {
  EXPECT_THAT(Order({"2001:db8::1", "2001:db8::2", "2001:db8::3", "192.0.2.1"}),
              ElementsAre("2001:db8::1", "192.0.2.1", "2001:db8::2", "2001:db8::3"));
  EXPECT_THAT(Order({"192.0.2.1", "192.0.2.2", "2001:db8::1", "2001:db8::2"}),
              ElementsAre("192.0.2.1", "2001:db8::1", "192.0.2.2", "2001:db8::2"));
  EXPECT_THAT(Order({"192.0.2.1"}), ElementsAre("192.0.2.1"));
  EXPECT_THAT(Order({}), ElementsAre());
}

TEST_F(ConnectOrderTest, AnAddressThatFailedIsLastForAWhile) {
  Fail("192.0.2.1");
  EXPECT_THAT(Order({"192.0.2.1", "192.0.2.2", "192.0.2.3"}),
              ElementsAre("192.0.2.2", "192.0.2.3", "192.0.2.1"));
  now_ += ConnectOrder::kFailedFor;
  EXPECT_THAT(Order({"192.0.2.1", "192.0.2.2"}), ElementsAre("192.0.2.1", "192.0.2.2"));
}

TEST_F(ConnectOrderTest, OneThatWorkedAgainIsInItsPlaceAgain) {
  Fail("192.0.2.1");
  order_.Worked(*IpAddress::Parse("192.0.2.1"));
  EXPECT_THAT(Order({"192.0.2.1", "192.0.2.2"}), ElementsAre("192.0.2.1", "192.0.2.2"));
}

TEST_F(ConnectOrderTest, WhenAllHaveFailedNoneIsLeftOut) {
  Fail("192.0.2.1");
  Fail("192.0.2.2");
  EXPECT_THAT(Order({"192.0.2.1", "192.0.2.2"}), ElementsAre("192.0.2.1", "192.0.2.2"));
}

TEST_F(ConnectOrderTest, NoMoreAreTriedThanTheLimit) {
  std::vector<std::string> addresses;
  for (size_t i = 0; i <= ConnectOrder::kMaxAttempts; ++i)
    addresses.push_back("192.0.2." + std::to_string(i));
  Fail("192.0.2.0");
  const auto order = Order(addresses);
  EXPECT_EQ(order.size(), ConnectOrder::kMaxAttempts);
  EXPECT_EQ(order.front(), "192.0.2.1") << "one that failed is the first to be left out";
}

TEST_F(ConnectOrderTest, RemembersNoMoreThanItsLimit) {
  for (size_t i = 0; i <= ConnectOrder::kMaxFailed; ++i) Fail("192.0.2." + std::to_string(i));
  EXPECT_THAT(Order({"192.0.2.0", "192.0.2.1", "192.0.2.200"}),
              ElementsAre("192.0.2.0", "192.0.2.200", "192.0.2.1"));
}

}  // namespace
}  // namespace perigee::replica
