#include "services/dns/listener/connection_table.h"

#include <vector>

#include "gmock/gmock.h"

namespace perigee::dns {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

class ConnectionTableTest : public ::testing::Test {
 protected:
  ConnectionTable::Id Add(std::string_view client, int name) {
    return table_.Add(IpAddress::Parse(client).value(), [this, name](TcpClose why) {
      closed_.push_back(name);
      why_ = why;
    });
  }

  ConnectionTable table_{4, 2};
  std::vector<int> closed_;
  TcpClose why_{};  // the last one
};

TEST_F(ConnectionTableTest, ClosesTheQuietestOfTheSameClientAtItsLimit) {
  Add("198.18.0.9", 0);
  const auto first = Add("198.18.0.1", 1);
  Add("198.18.0.1", 2);
  EXPECT_THAT(closed_, IsEmpty());
  table_.Touch(first);
  Add("198.18.0.1", 3);
  EXPECT_THAT(closed_, ElementsAre(2));
  EXPECT_EQ(why_, TcpClose::kClientLimit);
  EXPECT_EQ(table_.size(), 3u);
}

TEST_F(ConnectionTableTest, ClosesTheQuietestOfAllAtTheTotalLimit) {
  const auto first = Add("198.18.0.1", 1);
  for (int i = 2; i <= 4; ++i) Add("198.18.0." + std::to_string(i), i);
  table_.Touch(first);
  Add("198.18.0.5", 5);
  EXPECT_THAT(closed_, ElementsAre(2));
  EXPECT_EQ(why_, TcpClose::kTotalLimit);
  EXPECT_EQ(table_.size(), 4u);
}

TEST_F(ConnectionTableTest, ARemovedConnectionMakesRoomAndIsNotClosed) {
  const auto first = Add("198.18.0.1", 1);
  Add("198.18.0.1", 2);
  table_.Remove(first);
  table_.Remove(first);
  table_.Touch(first);
  Add("198.18.0.1", 3);
  EXPECT_THAT(closed_, IsEmpty());
}

TEST_F(ConnectionTableTest, ClosesAllOnce) {
  Add("198.18.0.1", 1);
  Add("198.18.0.2", 2);
  table_.CloseAll();
  table_.CloseAll();
  EXPECT_THAT(closed_, ElementsAre(1, 2));
  EXPECT_EQ(why_, TcpClose::kStopped);
  EXPECT_EQ(table_.size(), 0u);
}

}  // namespace
}  // namespace perigee::dns
