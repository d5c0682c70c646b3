#include "tests/world/quantities.h"

#include "gtest/gtest.h"

namespace perigee::world {
namespace {

using std::chrono::microseconds;

TEST(Quantities, MillisecondsAreExactToTheMicrosecond) {
  EXPECT_EQ(ParseMilliseconds("12"), microseconds(12'000));
  EXPECT_EQ(ParseMilliseconds("0.6"), microseconds(600));
  EXPECT_EQ(ParseMilliseconds("231.405ms"), microseconds(231'405));
  EXPECT_EQ(ParseMilliseconds("10000"), microseconds(10'000'000));
}

TEST(Quantities, RefuseWhatIsNotExactlyOne) {
  for (const char* text : {"", "ms", ".", "1.", ".5", "-1", "+1", " 1", "1 ", "1.2345", "1e3", "nan", "1,5",
                           "10000.001", "99999999999999999999", "1.-5"}) {
    EXPECT_EQ(ParseMilliseconds(text), std::nullopt) << text;
  }
  for (const char* text : {"", "%", "5", "100.001%", "-1%"})
    EXPECT_EQ(ParsePercent(text), std::nullopt) << text;
  for (const char* text : {"", "mbit", "100", "7kbit", "101gbit", "5mbits"}) {
    EXPECT_EQ(ParseRate(text), std::nullopt) << text;
  }
}

TEST(Quantities, PercentAndRateReachTheirEnds) {
  EXPECT_EQ(ParsePercent("0%"), 0.0);
  EXPECT_EQ(ParsePercent("100%"), 1.0);
  EXPECT_EQ(ParseRate("8kbit"), 8'000u);
  EXPECT_EQ(ParseRate("1.5mbit"), 1'500'000u);
  EXPECT_EQ(ParseRate("100gbit"), 100'000'000'000u);
  EXPECT_EQ(ParseRate("unlimited"), 0u);
}

TEST(Quantities, ComeBackAsTheyWereWritten) {
  for (const char* text : {"0.6", "12.5", "231.4", "10000"}) {
    EXPECT_EQ(FormatMilliseconds(*ParseMilliseconds(text)), text);
  }
  for (const char* text : {"0.5%", "5%", "100%"}) EXPECT_EQ(FormatPercent(*ParsePercent(text)), text);
  for (const char* text : {"8kbit", "1.5mbit", "100gbit", "unlimited"})
    EXPECT_EQ(FormatRate(*ParseRate(text)), text);
}

}  // namespace
}  // namespace perigee::world
