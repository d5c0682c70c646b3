#include "services/replica/http1/parser.h"

#include <fmt/format.h>
#include <gmock/gmock.h>

#include <random>
#include <string>

namespace perigee::replica {
namespace {

Limits SmallLimits() {
  Limits limits;
  limits.max_header_bytes = 512;
  limits.max_header_fields = 6;
  limits.max_target_bytes = 100;
  limits.max_request_body_bytes = 1'000;
  return limits;
}

int StatusOf(const std::string& request) {
  const Limits limits = SmallLimits();
  RequestParser parser(limits);
  const ParseResult head = parser.ParseHead(request);
  if (head.progress == Progress::kNeedMore) return 0;
  if (head.progress == Progress::kError) return parser.rejection().status;
  if (parser.body_done()) return 200;
  std::string body;
  const ParseResult rest = parser.ParseBody(std::string_view(request).substr(head.consumed), &body);
  if (rest.progress == Progress::kError) return parser.rejection().status;
  return rest.progress == Progress::kDone ? 200 : 0;
}

struct Case {
  const char* what;
  std::string request;
  int status;
};

class RequestCases : public ::testing::TestWithParam<Case> {};

TEST_P(RequestCases, IsAnsweredWith) { EXPECT_EQ(StatusOf(GetParam().request), GetParam().status); }

const std::string kPost = "POST / HTTP/1.1\r\nHost: a\r\n";

INSTANTIATE_TEST_SUITE_P(
    Strict, RequestCases,
    ::testing::Values(
        Case{"Plain", "GET / HTTP/1.1\r\nHost: a\r\n\r\n", 200},
        Case{"OldVersionWithoutHost", "GET / HTTP/1.0\r\n\r\n", 200},
        Case{"Unfinished", "GET / HTTP/1.1\r\nHost: a\r\n", 0}, Case{"NoHost", "GET / HTTP/1.1\r\n\r\n", 400},
        Case{"TwoHosts", "GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n", 400},
        Case{"HostWithPath", "GET / HTTP/1.1\r\nHost: a/b\r\n\r\n", 400},
        Case{"BareLf", "GET / HTTP/1.1\nHost: a\n\n", 400},
        Case{"BareLfInside", "GET / HTTP/1.1\r\nHost: a\nX: b\r\n\r\n", 400},
        Case{"BareCr", "GET / HTTP/1.1\r\nHost: a\rX: b\r\n\r\n", 400},
        Case{"FoldedLine", "GET / HTTP/1.1\r\nHost: a\r\nX: b\r\n c\r\n\r\n", 400},
        Case{"SpaceBeforeColon", "GET / HTTP/1.1\r\nHost : a\r\n\r\n", 400},
        Case{"NoColon", "GET / HTTP/1.1\r\nHost\r\n\r\n", 400},
        Case{"NulInValue", "GET / HTTP/1.1\r\nHost: a\r\nX: b" + std::string(1, '\0') + "c\r\n\r\n", 400},
        Case{"NoVersion", "GET /\r\nHost: a\r\n\r\n", 400},
        Case{"Version2", "GET / HTTP/2.0\r\nHost: a\r\n\r\n", 505},
        Case{"Garbage", "\x16\x03\x01\x02\r\n\r\n", 400},
        Case{"SpaceInTarget", "GET /a b HTTP/1.1\r\nHost: a\r\n\r\n", 400},
        Case{"LengthAndChunked", kPost + "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\nabc", 400},
        Case{"ChunkedAndLength", kPost + "Transfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\nabc", 400},
        Case{"DifferentLengths", kPost + "Content-Length: 3\r\nContent-Length: 4\r\n\r\nabc", 400},
        Case{"LengthList", kPost + "Content-Length: 3, 4\r\n\r\nabc", 400},
        Case{"NegativeLength", kPost + "Content-Length: -3\r\n\r\n", 400},
        Case{"PlusLength", kPost + "Content-Length: +3\r\n\r\nabc", 400},
        Case{"HugeLength", kPost + "Content-Length: 99999999999999999999\r\n\r\n", 400},
        Case{"BodyTooLarge", kPost + "Content-Length: 1001\r\n\r\n", 413},
        Case{"ChunksTooLarge", kPost + "Transfer-Encoding: chunked\r\n\r\n3ea\r\n" + std::string(1'002, 'x'),
             413},
        Case{"SameLengths", kPost + "Content-Length: 3\r\nContent-Length: 3\r\n\r\nabc", 400},
        Case{"SameLengthList", kPost + "Content-Length: 3, 3\r\n\r\nabc", 400},
        Case{"LengthWithoutDigits", kPost + "Content-Length:\r\n\r\nabc", 400},
        Case{"HostWithBadPort", "GET / HTTP/1.1\r\nHost: a:b\r\n\r\n", 400},
        Case{"HostIsAnAddress", "GET / HTTP/1.1\r\nHost: [2001:db8::1]:80\r\n\r\n", 200},
        Case{"HostIsEmpty", "GET / HTTP/1.1\r\nHost:\r\n\r\n", 200},
        Case{"NonAsciiTarget", "GET /\xc3\xa9 HTTP/1.1\r\nHost: a\r\n\r\n", 400},
        Case{"UnknownCoding", kPost + "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", 501},
        Case{"DisguisedCoding", kPost + "Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n", 400},
        Case{"NotChunkedAtTheEnd", kPost + "Transfer-Encoding: chunked, gzip\r\n\r\n0\r\n\r\n", 400},
        Case{"ChunkedTwice", kPost + "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n", 400},
        Case{"ChunkedInOldVersion", "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400},
        Case{"Chunks", kPost + "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n", 200},
        Case{"BadChunkSize", kPost + "Transfer-Encoding: chunked\r\n\r\nxyz\r\nabc\r\n0\r\n\r\n", 400},
        Case{"SignedChunkSize", kPost + "Transfer-Encoding: chunked\r\n\r\n+3\r\nabc\r\n0\r\n\r\n", 400},
        Case{"ChunkWithoutEnd", kPost + "Transfer-Encoding: chunked\r\n\r\n3\r\nabcde\r\n0\r\n\r\n", 400},
        Case{"ChunkExtension", kPost + "Transfer-Encoding: chunked\r\n\r\n3;a=\"b\"\r\nabc\r\n0;c\r\n\r\n",
             200},
        Case{"LongChunkExtensions",
             kPost + "Transfer-Encoding: chunked\r\n\r\n1;" + std::string(3'000, 'a') + "\r\nx\r\n1;" +
                 std::string(3'000, 'a') + "\r\nx\r\n0\r\n\r\n",
             400},
        Case{"LengthInTrailer", kPost + "Transfer-Encoding: chunked\r\n\r\n0\r\nContent-Length: 3\r\n\r\n",
             400},
        Case{"Trailer", kPost + "Transfer-Encoding: chunked\r\n\r\n0\r\nX: y\r\n\r\n", 200},
        Case{"LongTarget", "GET /" + std::string(200, 'x') + " HTTP/1.1\r\nHost: a\r\n\r\n", 414},
        Case{"LongTargetUnfinished", "GET /" + std::string(400, 'x'), 414},
        Case{"LongHead", "GET / HTTP/1.1\r\nHost: a\r\nX: " + std::string(600, 'x') + "\r\n\r\n", 431},
        Case{"LongHeadUnfinished", "GET / HTTP/1.1\r\nHost: a\r\nX: " + std::string(600, 'x'), 431},
        Case{"ManyFields",
             "GET / HTTP/1.1\r\nHost: a\r\nA: 1\r\nB: 1\r\nC: 1\r\nD: 1\r\nE: 1\r\nF: 1\r\n\r\n", 431}),
    [](const auto& each) { return each.param.what; });

TEST(RequestParser, ReadsOneByteAtATimeLikeAllAtOnce) {
  const std::string request = "POST /x?y=1 HTTP/1.1\r\nHost: a\r\nX-Y:  v \r\nContent-Length: 4\r\n\r\nbody";
  const Limits limits = SmallLimits();
  RequestParser parser(limits);
  size_t head_size = 0;
  for (size_t n = 1; n <= request.size() && head_size == 0; ++n) {
    const ParseResult result = parser.ParseHead(std::string_view(request).substr(0, n));
    ASSERT_NE(result.progress, Progress::kError) << n;
    if (result.progress == Progress::kDone) head_size = result.consumed;
  }
  EXPECT_EQ(head_size, request.size() - 4);
  EXPECT_EQ(parser.head().method, "POST");
  EXPECT_EQ(parser.head().target, "/x?y=1");
  EXPECT_EQ(parser.head().headers.Get("x-y"), "v");
  std::string body;
  for (const char c : std::string_view("body")) parser.ParseBody({&c, 1}, &body);
  EXPECT_EQ(body, "body");
  EXPECT_TRUE(parser.body_done());
}

TEST(RequestParser, LeavesAPipelinedRequestAlone) {
  const std::string first = "GET /a HTTP/1.1\r\nHost: a\r\n\r\n";
  const Limits limits = SmallLimits();
  RequestParser parser(limits);
  EXPECT_EQ(parser.ParseHead(first + "GET /b").consumed, first.size());
  EXPECT_TRUE(parser.body_done());
}

TEST(RequestParser, SurvivesMutatedRequests) {
  const std::string seed =
      kPost + "Transfer-Encoding: chunked\r\nConnection: close\r\n\r\n3\r\nabc\r\n0\r\n\r\n";
  std::mt19937 random(7);
  for (int i = 0; i < 20'000; ++i) {
    std::string request = seed;
    for (int changes = 0; changes < 3; ++changes)
      request[random() % request.size()] = static_cast<char>(random());
    const int status = StatusOf(request);
    EXPECT_THAT(status, ::testing::AnyOf(0, 200, 400, 413, 414, 431, 501, 505));
  }
}

Progress ReadWhole(std::string_view bytes, std::string* body, bool head_request = false) {
  const Limits limits;
  ResponseParser parser(limits, head_request);
  const ParseResult head = parser.ParseHead(bytes);
  if (head.progress != Progress::kDone) return head.progress;
  const ParseResult rest = parser.ParseBody(bytes.substr(head.consumed), body);
  return rest.progress == Progress::kNeedMore ? parser.ParseEnd() : rest.progress;
}

TEST(ResponseParser, TellsACompleteBodyFromOneCutShort) {
  std::string body;
  EXPECT_EQ(ReadWhole("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc", &body), Progress::kDone);
  EXPECT_EQ(ReadWhole("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nabc", &body), Progress::kError);
  EXPECT_EQ(ReadWhole("HTTP/1.1 200 OK\r\n\r\nabc", &body), Progress::kDone);
  const std::string chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n";
  EXPECT_EQ(ReadWhole(chunked + "0\r\n\r\n", &body), Progress::kDone);
  EXPECT_EQ(ReadWhole(chunked, &body), Progress::kError);
  EXPECT_EQ(body, "abcabcabcabcabc");
}

TEST(ResponseParser, ExpectsNoBodyAfterHead) {
  std::string body;
  EXPECT_EQ(ReadWhole("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n", &body, true), Progress::kDone);
  EXPECT_EQ(body, "");
}

TEST(ResponseParser, RefusesWhatHasNoCertainLength) {
  std::string body;
  for (const char* fields :
       {"Transfer-Encoding: gzip\r\n", "Transfer-Encoding: chunked, gzip\r\n", "Content-Length: 3, 3\r\n",
        "Content-Length: 3\r\nContent-Length: 3\r\n", "Content-Length: +3\r\n", "Content-Length:\r\n",
        "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n"}) {
    EXPECT_EQ(ReadWhole(fmt::format("HTTP/1.1 200 OK\r\n{}\r\nabc", fields), &body), Progress::kError)
        << fields;
  }
  EXPECT_EQ(ReadWhole("HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", &body),
            Progress::kError);
}

TEST(ResponseParser, RefusesStatusesThatAreNone) {
  std::string body;
  for (const char* status : {"099", "20", "2000", "-20", "2x0"}) {
    EXPECT_EQ(ReadWhole(fmt::format("HTTP/1.1 {} OK\r\n\r\n", status), &body), Progress::kError) << status;
  }
}

// Found by http1_response_fuzz: such a line was joined, or not, by where the bytes were cut.
TEST(ResponseParser, RefusesFoldedLinesHoweverTheyArrive) {
  const std::string folded = "HTTP/1.1 200 OK\r\nX: a\r\n b\r\n\r\n";
  for (size_t first = 1; first <= folded.size(); ++first) {
    const Limits limits;
    ResponseParser parser(limits, false);
    ParseResult result = parser.ParseHead(std::string_view(folded).substr(0, first));
    if (result.progress == Progress::kNeedMore) result = parser.ParseHead(folded);
    EXPECT_EQ(result.progress, Progress::kError) << first;
  }
}

}  // namespace
}  // namespace perigee::replica
