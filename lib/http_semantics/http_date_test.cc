#include "lib/http_semantics/http_date.h"

#include <gtest/gtest.h>

namespace perigee::http {
namespace {

const WallTime kNow{std::chrono::seconds(1'700'000'000)};  // 14 November 2023
const WallTime kExample{std::chrono::seconds(784'111'777)};

TEST(HttpDate, ParsesAllThreeForms) {
  for (const char* text : {"Sun, 06 Nov 1994 08:49:37 GMT", "Sunday, 06-Nov-94 08:49:37 GMT",
                           "Sun Nov  6 08:49:37 1994", " sun, 06 NOV 1994 08:49:37 gmt "}) {
    EXPECT_EQ(ParseHttpDate(text, kNow), kExample) << text;
  }
  EXPECT_EQ(ParseHttpDate("Wed Nov 16 08:49:37 1994", kNow), kExample + std::chrono::hours(240));
}

TEST(HttpDate, TwoDigitYearsAreWithinFiftyYearsOfNow) {
  const auto year = [](const char* text) {
    return std::chrono::year_month_day(std::chrono::floor<std::chrono::days>(*ParseHttpDate(text, kNow)))
        .year();
  };
  EXPECT_EQ(year("Monday, 01-Jan-73 00:00:00 GMT"), std::chrono::year(2073));
  EXPECT_EQ(year("Monday, 01-Jan-74 00:00:00 GMT"), std::chrono::year(1974));
}

TEST(HttpDate, RefusesWhatIsNoDate) {
  for (const char* text :
       {"", "0", "-1", "Sun, 06 Nov 1994 08:49:37", "Sun, 06 Nov 1994 08:49:37 UTC",
        "Sun, 31 Feb 1994 08:49:37 GMT", "Sun, 06 Nov 1994 24:00:00 GMT", "Sun, 06 Nov 1994 08:60:00 GMT",
        "Sun, 6 Nov 1994 08:49:37 GMT", "06 Nov 1994 08:49:37 GMT", "Sun, 06 Nox 1994 08:49:37 GMT",
        "Sun, 06 Nov 1994 08:49:37 GMT x", "Sun, +6 Nov 1994 08:49:37 GMT", "Sun Nov 6 08:49:37 1994"}) {
    EXPECT_EQ(ParseHttpDate(text, kNow), std::nullopt) << text;
  }
}

TEST(HttpDate, DatesBeyondWhatAClockCanTellBecomeTheNearest) {
  const auto latest = ParseHttpDate("Fri, 31 Dec 9999 23:59:59 GMT", kNow);
  const auto earliest = ParseHttpDate("Fri, 01 Jan 0000 00:00:00 GMT", kNow);
  ASSERT_TRUE(latest && earliest);
  EXPECT_EQ(FormatHttpDate(*latest), "Fri, 01 Jan 2190 00:00:00 GMT");
  EXPECT_EQ(FormatHttpDate(*earliest), "Mon, 01 Jan 1900 00:00:00 GMT");
  EXPECT_GT(*latest - *earliest, WallTime::duration::zero());
}

TEST(HttpDate, FormatsImfFixdateAndComesBack) {
  EXPECT_EQ(FormatHttpDate(kExample), "Sun, 06 Nov 1994 08:49:37 GMT");
  EXPECT_EQ(FormatHttpDate(WallTime(std::chrono::seconds(-1))), "Wed, 31 Dec 1969 23:59:59 GMT");
  for (int64_t t = 0; t < 4'000'000'000; t += int64_t{86'399} * 97) {
    const WallTime time{std::chrono::seconds(t)};
    ASSERT_EQ(ParseHttpDate(FormatHttpDate(time), kNow), time) << t;
  }
}

}  // namespace
}  // namespace perigee::http
