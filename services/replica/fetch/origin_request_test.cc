#include "services/replica/fetch/origin_request.h"

#include <gmock/gmock.h>

namespace perigee::replica {
namespace {

const OriginAddress kOrigin = *OriginAddress::Parse("origin.test:8080");
const IpAddress kClient = *IpAddress::Parse("192.0.2.7");

TEST(OriginRequest, ForwardsEndToEndFieldsUnderTheOriginsName) {
  RequestHead request{.method = "GET", .target = "/", .minor_version = 0};
  request.headers = {{"Host", "cdn.test"},           {"Connection", "X-Hop, close"}, {"X-Hop", "1"},
                     {"X-Forwarded-For", "9.9.9.9"}, {"Via", "1.1 other"},           {"Accept", "*/*"},
                     {"Expect", "100-continue"},     {"Content-Length", "3"}};
  const http::HeaderList fields = OriginFields(request, kOrigin, kClient);
  EXPECT_EQ(fields.Get("Host"), "origin.test:8080");
  EXPECT_EQ(fields.Combined("X-Forwarded-For"), "192.0.2.7");
  EXPECT_EQ(fields.Combined("Via"), "1.1 other, 1.0 perigee");
  EXPECT_EQ(fields.Get("Accept"), "*/*");
  EXPECT_EQ(fields.Get("Surrogate-Capability"), "perigee=\"Surrogate/1.0\"");
  for (const char* gone : {"Connection", "X-Hop", "Expect", "Content-Length"})
    EXPECT_FALSE(fields.Has(gone)) << gone;
}

TEST(OriginRequest, CountsDownMaxForwardsOfOptions) {
  RequestHead request{.method = "OPTIONS", .target = "*"};
  request.headers = {{"Max-Forwards", "5"}};
  EXPECT_EQ(OriginFields(request, kOrigin, kClient).Get("Max-Forwards"), "4");
  request.headers = {{"Max-Forwards", "many"}};
  EXPECT_EQ(OriginFields(request, kOrigin, kClient).Get("Max-Forwards"), "many");
  request.method = "POST";
  request.headers = {{"Max-Forwards", "5"}};
  EXPECT_EQ(OriginFields(request, kOrigin, kClient).Get("Max-Forwards"), "5");
}

TEST(OriginRequest, TellsTheBodysLengthInItsOwnWords) {
  RequestHead request{.method = "POST", .target = "/"};
  request.content_length = 3;
  EXPECT_EQ(OriginRequestText(request, "/p", {}, true), "POST /p HTTP/1.1\r\nContent-Length: 3\r\n\r\n");
  request.content_length.reset();
  request.chunked = true;
  EXPECT_EQ(OriginRequestText(request, "/p", {}, true),
            "POST /p HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n");
  EXPECT_EQ(OriginRequestText(request, "/p", {}, false), "POST /p HTTP/1.1\r\n\r\n");
}

TEST(OriginRequest, FindsThePathInEveryFormOfTarget) {
  EXPECT_EQ(PathOf("/a?b"), "/a?b");
  EXPECT_EQ(PathOf("http://cdn.test/a"), "/a");
  EXPECT_EQ(PathOf("HTTP://cdn.test"), "/");
  EXPECT_EQ(PathOf("*"), "*");
  for (const char* bad :
       {"", "a", "/a#b", "https://cdn.test/", "http://", "http:///a", "http://a?b", "cdn.test:80"}) {
    EXPECT_EQ(PathOf(bad), std::nullopt) << bad;
  }
}

TEST(OriginResponse, GainsViaAndDateAndLosesHopByHopFields) {
  http::ResponseHead head{.status = 204, .response_time = WallTime(std::chrono::seconds(784'111'777))};
  head.headers = {{"Connection", "X-Hop"}, {"X-Hop", "1"}, {"Keep-Alive", "5"}, {"Content-Length", "0"}};
  PrepareResponse(&head, 0);
  EXPECT_EQ(head.headers.text(), "Date: Sun, 06 Nov 1994 08:49:37 GMT\r\nVia: 1.0 perigee\r\n");
}

}  // namespace
}  // namespace perigee::replica
