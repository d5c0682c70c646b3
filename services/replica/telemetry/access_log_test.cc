#include "services/replica/telemetry/access_log.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <boost/json.hpp>

namespace perigee::replica {
namespace {

using std::chrono::microseconds;
using testing::HasSubstr;

AccessEntry Entry() {
  return {.time = WallTime(std::chrono::milliseconds(1'700'000'000'007)),
          .client = IpAddress::Parse("198.18.7.7").value(),
          .method = "GET",
          .target = "/a?b",
          .status = 200,
          .bytes = 5120,
          .host = "cdn.example.org",
          .referer = "http://x/",
          .user_agent = "curl/8",
          .cache = {.ttl = std::chrono::seconds(30), .detail = "memory"},
          .total = microseconds(41)};
}

std::string Combined(const AccessEntry& entry) {
  std::string line;
  AppendCombined(entry, &line);
  return line;
}

std::string Json(const AccessEntry& entry) {
  std::string line;
  AppendJson(entry, &line);
  return line;
}

TEST(AccessLog, CombinedIsThatOfApacheWithThreeFieldsMore) {
  EXPECT_EQ(
      Combined(Entry()),
      R"(198.18.7.7 - - [14/Nov/2023:22:13:20 +0000] "GET /a?b HTTP/1.1" 200 5120 "http://x/" "curl/8" )"
      R"("hit; ttl=30; detail=memory" - 0.000041)"
      "\n");
}

TEST(AccessLog, JsonTellsEverythingInOneLine) {
  EXPECT_EQ(
      Json(Entry()),
      R"({"time":"2023-11-14T22:13:20.007Z","client":"198.18.7.7","method":"GET","target":"/a?b",)"
      R"("version":"HTTP/1.1","host":"cdn.example.org","status":200,"bytes":5120,"referer":"http://x/",)"
      R"("user_agent":"curl/8","cache":"hit","cache_status":"hit; ttl=30; detail=memory",)"
      R"("upstream_us":null,"total_us":41})"
      "\n");
}

TEST(AccessLog, AMissTellsOfTheOrigin) {
  AccessEntry entry = Entry();
  entry.cache = {.forward = http::Forward::kUriMiss, .forward_status = 200, .stored = true};
  entry.upstream = microseconds(1'234'567);
  entry.total = microseconds(12'000'008);
  EXPECT_THAT(Combined(entry), HasSubstr(R"( "fwd=uri-miss; fwd-status=200; stored" 1.234567 12.000008)"));
  const auto json = boost::json::parse(Json(entry));
  EXPECT_EQ(json.at("cache").as_string(), "uri-miss");
  EXPECT_EQ(json.at("upstream_us").as_int64(), 1'234'567);
}

TEST(AccessLog, WhatIsMissingIsADash) {
  AccessEntry entry = Entry();
  entry.method = entry.target = entry.referer = entry.user_agent = "";
  entry.status = 400;
  EXPECT_THAT(Combined(entry), HasSubstr(R"(] "-" 400 5120 "-" "-" )"));
  EXPECT_EQ(boost::json::parse(Json(entry)).at("version").as_string(), "");
}

TEST(AccessLog, AClientThatLeftBeforeTheAnswerIs499) {
  AccessEntry entry = Entry();
  entry.status = 0;
  EXPECT_THAT(Combined(entry), HasSubstr(R"(HTTP/1.1" 499 5120 "http://x/" "curl/8" "-" - )"));
  const auto json = boost::json::parse(Json(entry));
  EXPECT_EQ(json.at("status").as_int64(), 499);
  EXPECT_EQ(json.at("cache").as_string(), "");
}

// Whatever a client sends: one line, and its text does not end its field.
TEST(AccessLog, NoOctetCanForgeALineOrAField) {
  for (int octet = 0; octet < 256; ++octet) {
    const std::string text = std::string("a") + static_cast<char>(octet) + "b";
    AccessEntry entry = Entry();
    entry.method = entry.target = entry.host = entry.referer = entry.user_agent = text;
    const std::string combined = Combined(entry), json = Json(entry);
    for (const std::string& line : {combined, json}) {
      EXPECT_EQ(std::count(line.begin(), line.end(), '\n'), 1) << octet;
      EXPECT_TRUE(std::all_of(line.begin(), line.end() - 1, [](char c) { return c >= 0x20 && c < 0x7f; }))
          << octet;
    }
    EXPECT_EQ(std::count(combined.begin(), combined.end(), '"'), 8) << octet;
    const auto parsed = boost::json::parse(json);
    EXPECT_EQ(parsed.as_object().size(), 14u);
    if (octet < 0x7f) {
      EXPECT_EQ(std::string_view(parsed.at("user_agent").as_string()), text);
    }
  }
  AccessEntry entry = Entry();
  entry.user_agent = "\"\\\n";
  EXPECT_THAT(Combined(entry), HasSubstr(R"( "\x22\x5C\x0A" )"));
}

TEST(AccessLog, AnEntryComesBackFromTheRingAsItWas) {
  LogRing ring(AccessLog::kRingSize);
  ASSERT_TRUE(AccessLog::Push(Entry(), ring));
  AccessEntry bare{.status = 404};
  ASSERT_TRUE(AccessLog::Push(bare, ring));
  std::vector<std::string> lines;
  ring.Drain([&lines](std::string_view record) { lines.push_back(Json(AccessLog::Unpack(record))); });
  EXPECT_EQ(lines, (std::vector<std::string>{Json(Entry()), Json(bare)}));
}

TEST(AccessLog, LongTextsAreCut) {
  LogRing ring(AccessLog::kRingSize);
  const std::string text(kMaxLoggedText + 1, 'x');
  AccessEntry entry = Entry();
  entry.target = entry.user_agent = text;
  ASSERT_TRUE(AccessLog::Push(entry, ring));
  ring.Drain([](std::string_view record) {
    const AccessEntry back = AccessLog::Unpack(record);
    EXPECT_EQ(back.target.size(), kMaxLoggedText);
    EXPECT_EQ(back.user_agent.size(), kMaxLoggedText);
    EXPECT_EQ(back.referer, "http://x/");
  });
}

TEST(AccessLog, AFullRingLosesAndCounts) {
  LogRing ring(AccessLog::kRingSize);
  size_t pushed = 0;
  while (AccessLog::Push(Entry(), ring)) ++pushed;
  EXPECT_GE(pushed, 2'000u);
  EXPECT_EQ(ring.lost(), 1u);
}

TEST(AccessLog, FormatsHaveNames) {
  EXPECT_EQ(ParseAccessLogFormat("combined"), AccessLogFormat::kCombined);
  EXPECT_EQ(ParseAccessLogFormat("json"), AccessLogFormat::kJson);
  EXPECT_EQ(ParseAccessLogFormat("JSON"), std::nullopt);
}

}  // namespace
}  // namespace perigee::replica
