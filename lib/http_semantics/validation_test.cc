#include "lib/http_semantics/validation.h"

#include <gtest/gtest.h>

#include <string>

#include "lib/http_semantics/http_date.h"

namespace perigee::http {
namespace {

using std::chrono::seconds;

const WallTime kNow{seconds(1'700'000'000)};
std::string At(int64_t offset) { return FormatHttpDate(kNow + seconds(offset)); }

TEST(Validation, AsksWithTheStoredValidatorsInsteadOfTheClients) {
  HeaderList request{{"Host", "a"},
                     {"If-None-Match", "\"client\""},
                     {"If-Modified-Since", "x"},
                     {"Range", "bytes=0-1"},
                     {"If-Range", "\"r\""},
                     {"If-Match", "*"},
                     {"If-Unmodified-Since", "x"}};
  MakeConditional({{"ETag", "W/\"s\""}, {"Last-Modified", At(-5)}}, &request);
  EXPECT_EQ(request.text(), "Host: a\r\nIf-None-Match: W/\"s\"\r\nIf-Modified-Since: " + At(-5) + "\r\n");
}

TEST(Validation, ARangeRequestKeepsItsRangeAndWhatElseItAsks) {
  HeaderList request{{"If-None-Match", "\"client\""},
                     {"If-Modified-Since", "x"},
                     {"Range", "bytes=0-1"},
                     {"If-Range", "\"r\""},
                     {"If-Match", "*"}};
  MakeConditionalInPart({{"ETag", "\"s\""}}, &request);
  EXPECT_EQ(request.text(), "Range: bytes=0-1\r\nIf-Range: \"r\"\r\nIf-Match: *\r\nIf-None-Match: \"s\"\r\n");
}

TEST(Validation, AStrongValidatorTellsEveryByte) {
  const std::pair<HeaderList, std::optional<std::string>> cases[] = {
      {{{"ETag", "\"a\""}}, "\"a\""},
      {{{"ETag", "W/\"a\""}}, std::nullopt},
      {{{"Last-Modified", At(-1)}, {"Date", At(0)}}, At(-1)},
      {{{"Last-Modified", At(0)}, {"Date", At(0)}}, std::nullopt},
      {{{"Last-Modified", At(-1)}}, std::nullopt},
      {{{"Last-Modified", "yesterday"}, {"Date", At(0)}}, std::nullopt},
      {{{"ETag", "W/\"a\""}, {"Last-Modified", At(-1)}, {"Date", At(0)}}, std::nullopt},
      {{{"Date", At(0)}}, std::nullopt},
  };
  for (const auto& [headers, expected] : cases) {
    EXPECT_EQ(StrongValidator(headers, kNow), expected) << headers.text();
  }
}

TEST(Validation, NotModifiedUpdatesFieldsButNotThoseOfTheBody) {
  const ResponseHead stored{200,
                            "OK",
                            {{"Date", At(-100)},
                             {"Age", "5"},
                             {"Cache-Control", "max-age=60"},
                             {"X-Old", "1"},
                             {"X-Both", "old"},
                             {"x-both", "old2"},
                             {"Content-Length", "10"},
                             {"Content-Encoding", "br"},
                             {"Content-Type", "text/html"}},
                            kNow - seconds(100),
                            kNow - seconds(99)};
  const ResponseHead update{304,
                            "Not Modified",
                            {{"Date", At(0)},
                             {"Cache-Control", "max-age=9"},
                             {"X-Both", "new"},
                             {"Content-Length", "0"},
                             {"Content-Type", "x"},
                             {"Content-Encoding", "gzip"},
                             {"Connection", "close"},
                             {"X-New", "1"}},
                            kNow - seconds(1),
                            kNow};
  const ResponseHead merged = MergeNotModified(stored, update);
  EXPECT_EQ(merged.status, 200);
  EXPECT_EQ(merged.reason, "OK");
  EXPECT_EQ(merged.request_time, kNow - seconds(1));
  EXPECT_EQ(merged.response_time, kNow);
  EXPECT_EQ(merged.headers.text(),
            "X-Old: 1\r\nContent-Length: 10\r\nContent-Encoding: br\r\nDate: " + At(0) +
                "\r\nCache-Control: max-age=9\r\nX-Both: new\r\nContent-Type: x\r\nX-New: 1\r\n");
}

TEST(Validation, NotModifiedWithoutDateCountsFromItsArrival) {
  const ResponseHead stored{200, "", {{"Date", At(-100)}}, kNow - seconds(100), kNow - seconds(100)};
  const ResponseHead merged = MergeNotModified(stored, {304, "", {}, kNow, kNow});
  EXPECT_EQ(merged.headers.Combined("Date"), At(0));
}

TEST(Validation, NotModifiedMayForbidToKeepWhatWasStored) {
  const ResponseHead stored{200, "", {{"X-A", "1"}, {"X-B", "1"}}, kNow, kNow};
  const ResponseHead merged =
      MergeNotModified(stored, {304, "", {{"Cache-Control", "private=x-a"}}, kNow, kNow});
  EXPECT_FALSE(merged.headers.Has("X-A"));
  EXPECT_TRUE(merged.headers.Has("X-B"));
}

TEST(Validation, NotModifiedMustBeAboutTheStoredResponse) {
  EXPECT_TRUE(NotModifiedAppliesTo({{"ETag", "\"a\""}}, {{"ETag", "W/\"a\""}}));
  EXPECT_FALSE(NotModifiedAppliesTo({{"ETag", "\"a\""}}, {{"ETag", "\"b\""}}));
  EXPECT_TRUE(NotModifiedAppliesTo({{"ETag", "\"a\""}}, {}));
  EXPECT_FALSE(NotModifiedAppliesTo({{"Last-Modified", At(0)}}, {{"Last-Modified", At(1)}}));
  EXPECT_TRUE(NotModifiedAppliesTo({{"ETag", "\"a\""}, {"Last-Modified", At(0)}},
                                   {{"ETag", "\"a\""}, {"Last-Modified", At(1)}}));
}

TEST(Validation, SomeAnswersMustBeAskedFor) {
  EXPECT_TRUE(IsUnasked(304, {{"If-Match", "\"a\""}, {"Range", "bytes=0-"}}));
  EXPECT_FALSE(IsUnasked(304, {{"If-None-Match", "\"a\""}}));
  EXPECT_FALSE(IsUnasked(304, {{"If-Modified-Since", At(0)}}));
  EXPECT_TRUE(IsUnasked(206, {{"If-None-Match", "\"a\""}}));
  EXPECT_FALSE(IsUnasked(206, {{"Range", "bytes=0-"}}));
  EXPECT_FALSE(IsUnasked(200, {}));
}

TEST(Validation, HeadMustBeAboutTheStoredResponse) {
  const HeaderList stored{{"ETag", "\"a\""}, {"Content-Length", "5"}};
  EXPECT_TRUE(HeadAppliesTo(stored, {}));
  EXPECT_TRUE(HeadAppliesTo(stored, {{"ETag", "\"a\""}, {"Content-Length", "5"}}));
  EXPECT_FALSE(HeadAppliesTo(stored, {{"ETag", "\"b\""}}));
  EXPECT_FALSE(HeadAppliesTo(stored, {{"Content-Length", "6"}}));
  EXPECT_FALSE(HeadAppliesTo(stored, {{"Last-Modified", At(0)}}));
}

struct ConditionCase {
  const char* name;
  HeaderList request;
  ConditionResult expected;
  const char* method = "GET";
  int status = 200;
};

TEST(Validation, EvaluatesTheClientsCondition) {
  const HeaderList stored{{"ETag", "\"a\""}, {"Last-Modified", At(-10)}};
  const ConditionCase cases[] = {
      {"no condition", {}, ConditionResult::kUnconditional},
      {"same tag", {{"If-None-Match", "\"a\""}}, ConditionResult::kNotModified},
      {"weak comparison", {{"If-None-Match", "W/\"a\""}}, ConditionResult::kNotModified},
      {"one of a list", {{"If-None-Match", "\"x\", \"a\""}}, ConditionResult::kNotModified},
      {"one of two lines",
       {{"If-None-Match", "\"x\""}, {"If-None-Match", "\"a\""}},
       ConditionResult::kNotModified},
      {"a comma inside a tag", {{"If-None-Match", "\"x,a\""}}, ConditionResult::kModified},
      {"star", {{"If-None-Match", "*"}}, ConditionResult::kNotModified},
      {"other tag", {{"If-None-Match", "\"b\""}}, ConditionResult::kModified},
      {"the tag overrules the date",
       {{"If-None-Match", "\"b\""}, {"If-Modified-Since", At(0)}},
       ConditionResult::kModified},
      {"same date", {{"If-Modified-Since", At(-10)}}, ConditionResult::kNotModified},
      {"earlier date", {{"If-Modified-Since", At(-11)}}, ConditionResult::kModified},
      {"no date", {{"If-Modified-Since", "yesterday"}}, ConditionResult::kUnconditional},
      {"HEAD", {{"If-None-Match", "\"a\""}}, ConditionResult::kNotModified, "HEAD"},
      {"POST", {{"If-None-Match", "\"a\""}}, ConditionResult::kUnconditional, "POST"},
      {"stored 404", {{"If-None-Match", "\"a\""}}, ConditionResult::kUnconditional, "GET", 404},
  };
  for (const ConditionCase& c : cases) {
    const ResponseHead head{c.status, "", stored, kNow, kNow};
    EXPECT_EQ(static_cast<int>(EvaluateCondition(c.method, c.request, head, kNow)),
              static_cast<int>(c.expected))
        << c.name;
  }
}

TEST(Validation, TagsHaveNoEscapes) {
  const auto asked = [](const char* list, const char* tag) {
    const ResponseHead head{200, "", {{"ETag", tag}}, kNow, kNow};
    return EvaluateCondition("GET", {{"If-None-Match", list}}, head, kNow) == ConditionResult::kNotModified;
  };
  EXPECT_TRUE(asked(R"("a\")", R"("a\")"));
  EXPECT_TRUE(asked(R"("a\", "b")", R"("b")"));
  EXPECT_TRUE(asked(R"("x,\" ,, W/"b,c\" )", R"("b,c\")"));
  EXPECT_FALSE(asked(R"("a\", "b")", R"("a")"));
  EXPECT_FALSE(asked(R"("a)", R"("a")"));
  EXPECT_FALSE(asked("\"x\",,", ""));
}

TEST(Validation, DateStandsForAMissingLastModified) {
  const ResponseHead head{200, "", {{"Date", At(-10)}}, kNow, kNow};
  EXPECT_EQ(EvaluateCondition("GET", {{"If-Modified-Since", At(-10)}}, head, kNow),
            ConditionResult::kNotModified);
  EXPECT_EQ(EvaluateCondition("GET", {{"If-Modified-Since", At(-11)}}, head, kNow),
            ConditionResult::kModified);
}

TEST(Validation, NotModifiedAnswerLeavesOutWhatDescribesTheBody) {
  EXPECT_EQ(
      NotModifiedHeaders({{"ETag", "\"a\""}, {"Content-Length", "5"}, {"Content-Type", "x"}, {"Vary", "a"}})
          .text(),
      "ETag: \"a\"\r\nVary: a\r\n");
}

}  // namespace
}  // namespace perigee::http
