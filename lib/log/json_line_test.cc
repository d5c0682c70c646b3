#include "lib/log/json_line.h"

#include <gmock/gmock.h>

#include <boost/json.hpp>

namespace perigee {
namespace {

TEST(JsonLine, AStringOfAnyOctetsIsOneLineOfJson) {
  std::string all;
  for (int octet = 0; octet < 256; ++octet) all += static_cast<char>(octet);
  std::string line;
  AppendJsonString(all, &line);
  for (const char c : line) EXPECT_TRUE(c >= 0x20 && c < 0x7f);
  EXPECT_TRUE(boost::json::parse(line).as_string().starts_with(std::string_view("\0\1\2", 3)));
  EXPECT_THAT(line, testing::HasSubstr(R"( !\"#)"));
  EXPECT_THAT(line, testing::HasSubstr(R"([\\])"));
  EXPECT_THAT(line, testing::HasSubstr(R"(~\u007f\u0080)"));
}

TEST(JsonLine, AFieldBeginsWithAComma) {
  std::string line;
  AppendJsonField("name", "\n", &line);
  EXPECT_EQ(line, R"(,"name":"\u000a")");
}

TEST(JsonLine, ATimeHasMilliseconds) {
  std::string line;
  AppendIsoTime(WallTime(std::chrono::milliseconds(1'700'000'000'007)), &line);
  EXPECT_EQ(line, "2023-11-14T22:13:20.007Z");
}

}  // namespace
}  // namespace perigee
