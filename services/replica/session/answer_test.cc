#include "services/replica/session/answer.h"

#include <gmock/gmock.h>

namespace perigee::replica {
namespace {

using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::Not;

TEST(Answer, StoredHeadIsTheOriginsWithAgeReplaced) {
  http::ResponseHead head{.status = 200, .reason = "OK"};
  head.headers = {{"ETag", "\"x\""}, {"Age", "7"}};
  std::string out;
  AppendHead(head, std::chrono::seconds(9), Framing::kContentLength, {.ttl = std::chrono::seconds(51)}, {},
             &out);
  EXPECT_EQ(out, "HTTP/1.1 200 OK\r\nETag: \"x\"\r\nAge: 9\r\nCache-Status: Perigee; hit; ttl=51\r\n\r\n");
}

TEST(Answer, SaysWhatBecomesOfTheConnection) {
  std::string out;
  AppendHead({}, std::nullopt, Framing::kNone, {}, {.keep_alive = false}, &out);
  EXPECT_THAT(out, HasSubstr("Connection: close\r\n"));
  out.clear();
  AppendHead({}, std::nullopt, Framing::kNone, {}, {.client_minor_version = 0}, &out);
  EXPECT_THAT(out, HasSubstr("Connection: keep-alive\r\n"));
}

TEST(Answer, UnknownLengthIsChunkedOrEndsWithTheConnection) {
  EXPECT_EQ(ClientFraming(Framing::kChunked, 1), Framing::kChunked);
  EXPECT_EQ(ClientFraming(Framing::kUntilClose, 1), Framing::kChunked);
  EXPECT_EQ(ClientFraming(Framing::kChunked, 0), Framing::kUntilClose);
  EXPECT_EQ(ClientFraming(Framing::kContentLength, 0), Framing::kContentLength);
}

TEST(Answer, OwnAnswersHaveABodyUnlessForHead) {
  std::string get, head;
  AppendOwnAnswer(405, "method not allowed", false, {.forward = http::Forward::kBypass}, {}, {}, &get);
  AppendOwnAnswer(405, "method not allowed", true, {.forward = http::Forward::kBypass}, {}, {}, &head);
  EXPECT_THAT(get, EndsWith("\r\n\r\n405 Method Not Allowed: method not allowed\n"));
  EXPECT_THAT(get, HasSubstr("Allow: GET, HEAD"));
  EXPECT_THAT(get, HasSubstr("Cache-Status: Perigee; fwd=bypass\r\n"));
  EXPECT_THAT(head, EndsWith("\r\n\r\n"));
  EXPECT_THAT(head, Not(HasSubstr("405 Method Not Allowed: ")));
}

}  // namespace
}  // namespace perigee::replica
