#include "lib/health/loop_sign.h"

#include <gmock/gmock.h>

namespace perigee {
namespace {

TEST(LoopSign, IsGivenAgainAndAgainByALoopThatRuns) {
  LifeSign sign("the loop", MonoTime());
  boost::asio::io_context loop;
  LoopSign giver(loop, sign);
  giver.Start();
  const MonoTime first = sign.last();
  EXPECT_GT(first, MonoTime());
  loop.run_one();
  EXPECT_GE(sign.last() - first, kLifeSignInterval);
}

TEST(LoopSign, KeepsNoLoopFromEnding) {
  LifeSign sign("the loop", MonoTime());
  boost::asio::io_context loop;
  LoopSign giver(loop, sign);
  giver.Start();
  giver.Stop();
  EXPECT_LE(loop.run(), 1u);
}

}  // namespace
}  // namespace perigee
