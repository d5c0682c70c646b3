#include "lib/http_semantics/range.h"

#include <gmock/gmock.h>

#include "lib/http_semantics/http_date.h"

namespace perigee::http {
namespace {

using Answer = RangePlan::Answer;
using std::chrono::seconds;

const WallTime kNow{seconds(1'700'000'000)};
std::string At(int64_t offset) { return FormatHttpDate(kNow + seconds(offset)); }

ResponseHead Stored() {
  ResponseHead head;
  head.headers = {{"ETag", "\"a\""}, {"Last-Modified", At(-60)}, {"Date", At(0)}, {"Content-Type", "text/x"}};
  return head;
}

RangePlan Plan(std::string_view range, uint64_t length = 10) {
  return PlanRange("GET", {{"Range", range}}, Stored(), length, kNow);
}

TEST(Range, SatisfiesWhatLiesWithinTheBody) {
  const std::pair<const char*, std::vector<ByteRange>> cases[] = {
      {"bytes=0-1", {{0, 1}}},
      {"bytes=1-", {{1, 9}}},
      {"bytes=-1", {{9, 9}}},
      {"bytes=-99", {{0, 9}}},
      {"bytes=9-99", {{9, 9}}},
      {"bytes=0-99999999999999999999999", {{0, 9}}},
      {"Bytes=0-0,2-3 , -1", {{0, 0}, {2, 3}, {9, 9}}},
      {"bytes=5-6,0-1", {{5, 6}, {0, 1}}},
      {"bytes=0-1,50-60", {{0, 1}}},
  };
  for (const auto& [range, expected] : cases) {
    const RangePlan plan = Plan(range);
    EXPECT_EQ(plan.answer, Answer::kPartial) << range;
    EXPECT_EQ(plan.ranges, expected) << range;
  }
}

TEST(Range, OutsideIsUnsatisfiable) {
  for (const char* range : {"bytes=10-", "bytes=10-11,20-", "bytes=-0"}) {
    EXPECT_EQ(Plan(range).answer, Answer::kUnsatisfiable) << range;
  }
  EXPECT_EQ(Plan("bytes=0-", 0).answer, Answer::kUnsatisfiable);
  EXPECT_EQ(Plan("bytes=-1", 0).answer, Answer::kUnsatisfiable);
}

TEST(Range, WhatIsNotUnderstoodIsIgnored) {
  for (const char* range : {"", "bytes", "bytes=", "lines=0-1", "bytes=a-b", "bytes=1", "bytes=2-1",
                            "bytes=--1", "bytes=1-2x", "bytes=+1-2", "bytes=0-1,x", "bytes=0-5,3-7"}) {
    EXPECT_EQ(Plan(range).answer, Answer::kWhole) << range;
  }
  EXPECT_EQ(PlanRange("HEAD", {{"Range", "bytes=0-1"}}, Stored(), 10, kNow).answer, Answer::kWhole);
  ResponseHead not_found = Stored();
  not_found.status = 404;
  EXPECT_EQ(PlanRange("GET", {{"Range", "bytes=0-1"}}, not_found, 10, kNow).answer, Answer::kWhole);
}

TEST(Range, NoMoreThanTheLimit) {
  std::string range = "bytes=0-0";
  for (size_t i = 1; i < kMaxRanges; ++i) range += "," + std::to_string(2 * i) + "-" + std::to_string(2 * i);
  EXPECT_EQ(Plan(range, 1000).answer, Answer::kPartial);
  EXPECT_EQ(Plan(range + ",900-900", 1000).answer, Answer::kWhole);
}

TEST(Range, IfRangeNeedsAStrongValidatorThatMatches) {
  const std::pair<std::string, Answer> cases[] = {
      {"\"a\"", Answer::kPartial}, {"\"b\"", Answer::kWhole}, {"W/\"a\"", Answer::kWhole},
      {At(-60), Answer::kPartial}, {At(-59), Answer::kWhole}, {"yesterday", Answer::kWhole},
  };
  for (const auto& [condition, expected] : cases) {
    const HeaderList request{{"Range", "bytes=0-1"}, {"If-Range", condition}};
    EXPECT_EQ(PlanRange("GET", request, Stored(), 10, kNow).answer, expected) << condition;
  }
  ResponseHead weak = Stored();
  weak.headers.Set("ETag", "W/\"a\"");
  weak.headers.Set("Last-Modified", At(0));  // as old as the response itself: no strong validator
  for (const std::string& condition : {std::string("W/\"a\""), At(0)}) {
    const HeaderList request{{"Range", "bytes=0-1"}, {"If-Range", condition}};
    EXPECT_EQ(PlanRange("GET", request, weak, 10, kNow).answer, Answer::kWhole) << condition;
  }
}

TEST(Range, TheWholeIsTheStored) {
  const RangeAnswer whole = AnswerRanges(Stored(), 10, {}, "", kNow);
  EXPECT_EQ(whole.head.status, 200);
  EXPECT_EQ(whole.ranges, (std::vector<ByteRange>{{0, 9}}));
  EXPECT_TRUE(AnswerRanges(Stored(), 0, {}, "", kNow).ranges.empty());
}

TEST(Range, OneRangeIsAPartOfTheStored) {
  ResponseHead stored = Stored();
  stored.headers.Add("Content-Length", "10");
  const RangeAnswer answer = AnswerRanges(stored, 10, {Answer::kPartial, {{2, 4}}}, "", kNow);
  EXPECT_EQ(answer.head.status, 206);
  EXPECT_EQ(answer.head.headers.Combined("Content-Range"), "bytes 2-4/10");
  EXPECT_EQ(answer.head.headers.Combined("Content-Length"), "3");
  EXPECT_EQ(answer.head.headers.Combined("ETag"), "\"a\"");
  EXPECT_EQ(answer.ranges, (std::vector<ByteRange>{{2, 4}}));
  EXPECT_TRUE(answer.around.empty());
}

TEST(Range, SeveralRangesAreMultipart) {
  const RangeAnswer answer = AnswerRanges(Stored(), 10, {Answer::kPartial, {{0, 1}, {9, 9}}}, "B", kNow);
  ASSERT_EQ(answer.around.size(), 3u);
  const std::string body = answer.around[0] + "01" + answer.around[1] + "9" + answer.around[2];
  EXPECT_EQ(body,
            "--B\r\nContent-Type: text/x\r\nContent-Range: bytes 0-1/10\r\n\r\n01\r\n"
            "--B\r\nContent-Type: text/x\r\nContent-Range: bytes 9-9/10\r\n\r\n9\r\n--B--\r\n");
  EXPECT_EQ(answer.head.status, 206);
  EXPECT_EQ(answer.head.headers.Combined("Content-Type"), "multipart/byteranges; boundary=B");
  EXPECT_EQ(answer.head.headers.Combined("Content-Length"), std::to_string(body.size()));
}

TEST(Range, UnsatisfiableTellsTheLength) {
  const RangeAnswer answer = AnswerRanges(Stored(), 10, {Answer::kUnsatisfiable, {}}, "", kNow);
  EXPECT_EQ(answer.head.status, 416);
  EXPECT_EQ(answer.head.headers.Combined("Content-Range"), "bytes */10");
  EXPECT_EQ(answer.head.headers.Combined("Content-Length"), "0");
  EXPECT_FALSE(answer.head.headers.Has("ETag"));
  EXPECT_TRUE(answer.ranges.empty());
}

TEST(ContentRange, TellsThePartAndTheWhole) {
  EXPECT_EQ(ParseContentRange("bytes 2-4/10"), (ContentRange{{2, 4}, 10}));
  EXPECT_EQ(ParseContentRange("Bytes 0-9/10"), (ContentRange{{0, 9}, 10}));
  EXPECT_EQ(ParseContentRange("bytes 0-18446744073709551614/18446744073709551615")->range.size(), UINT64_MAX);
}

TEST(ContentRange, WhatLiesBeyondTheWholeOrLeavesItOpenIsNone) {
  for (const char* none : {"",
                           "bytes",
                           "bytes ",
                           "bytes 2-4/*",
                           "bytes */10",
                           "bytes 2-4",
                           "lines 2-4/10",
                           "bytes 2-4/x",
                           "bytes 2-10/10",
                           "bytes 4-2/10",
                           "bytes -4/10",
                           "bytes 2-/10",
                           "bytes 2/10",
                           "bytes +2-4/10",
                           "bytes 2-4/10x",
                           "bytes 2- 4/10",
                           "bytes 2-4-5/10",
                           "bytes 2-4/10/10",
                           "bytes=2-4/10",
                           "bytes 0-0/0",
                           "bytes 0-1/18446744073709551616"}) {
    EXPECT_EQ(ParseContentRange(none), std::nullopt) << none;
  }
}

TEST(ContentRange, IsThatOfASinglePart) {
  ResponseHead part{.status = 206};
  part.headers = {{"Content-Range", "bytes 2-4/10"}};
  EXPECT_EQ(ContentRangeOf(part), (ContentRange{{2, 4}, 10}));
  EXPECT_FALSE(IsMultipartRange(part.headers));
  EXPECT_TRUE(IsMultipartRange({{"Content-Type", "Multipart/Byteranges; boundary=B"}}));
  ResponseHead twice = part;
  twice.headers.Add("Content-Range", "bytes 2-4/10");
  EXPECT_EQ(ContentRangeOf(twice), std::nullopt);
  part.status = 200;
  EXPECT_EQ(ContentRangeOf(part), std::nullopt);
}

}  // namespace
}  // namespace perigee::http
