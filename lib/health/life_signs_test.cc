#include "lib/health/life_signs.h"

#include <gmock/gmock.h>

namespace perigee {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr MonoTime kStart{std::chrono::hours(1)};

TEST(LifeSigns, ALoopThatIsSilentForLongerThanTheLimitIsStuck) {
  LifeSigns signs;
  signs.Add("the TCP loop", kStart);
  EXPECT_TRUE(signs.Verdict(kStart + kLifeSignLimit).ok());
  EXPECT_THAT(signs.Verdict(kStart + kLifeSignLimit + milliseconds(2001)).failures,
              testing::ElementsAre("the TCP loop has been stuck for 7 s"));
}

TEST(LifeSigns, OneThatGoesRoundAgainIsAliveAgain) {
  LifeSigns signs;
  LifeSign& sign = signs.Add("the TCP loop", kStart);
  EXPECT_FALSE(signs.Verdict(kStart + seconds(6)).ok());
  sign.Give(kStart + seconds(6));
  EXPECT_TRUE(signs.Verdict(kStart + seconds(7)).ok());
}

TEST(LifeSigns, EachStuckLoopIsNamedAndNoOther) {
  LifeSigns signs;
  signs.Add("worker 1", kStart);
  LifeSign& second = signs.Add("worker 2", kStart);
  signs.Add("worker 3", kStart);
  second.Give(kStart + seconds(5));
  EXPECT_THAT(signs.Verdict(kStart + seconds(6)).failures,
              testing::ElementsAre("worker 1 has been stuck for 6 s", "worker 3 has been stuck for 6 s"));
}

}  // namespace
}  // namespace perigee
