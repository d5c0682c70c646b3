#include "services/dns/steering/clientele.h"

#include <vector>

#include "gtest/gtest.h"

namespace perigee::dns {
namespace {

using std::chrono::milliseconds;

Sample Ms(int ms, Method method = Method::kIcmpEcho) { return {milliseconds(ms), method}; }

TEST(MedianOf, IsWhatMostOfThemSayOfEachReplica) {
  const std::vector<Samples> clients = {{Ms(10), Ms(200)}, {Ms(30), Ms(210)}, {Ms(20), Ms(190)}};
  Samples out(2);
  MedianOf(clients, out);
  EXPECT_EQ(out[0].rtt, milliseconds(20));
  EXPECT_EQ(out[1].rtt, milliseconds(200));
}

TEST(MedianOf, FewerThanHalfOfThemCannotMoveItBeyondTheOthers) {
  const std::vector<Samples> clients = {{Ms(10)}, {Ms(12)}, {Ms(14)}, {Ms(9'000)}, {Ms(9'000)}};
  Samples out(1);
  MedianOf(clients, out);
  EXPECT_EQ(out[0].rtt, milliseconds(14));
}

TEST(MedianOf, SaysNothingOfAReplicaThatHalfOfThemKnowNothingOf) {
  const std::vector<Samples> clients = {{Ms(10), Ms(5), Ms(7)},
                                        {Ms(10), {}, Ms(8)},
                                        {Ms(10), {}, Ms(9)},
                                        {Ms(10), Ms(5), Ms(1, Method::kLastHop)}};
  Samples out(3, Ms(1));
  MedianOf(clients, out);
  EXPECT_TRUE(out[0].measured());
  EXPECT_EQ(out[1].method, Method::kUnknown);
  EXPECT_EQ(out[2].rtt, milliseconds(8)) << "a floor is no measurement";
}

}  // namespace
}  // namespace perigee::dns
