// The HTTP side on loopback, real sockets and threads: what the caching rules make of answers and requests.
#include "services/replica/fetch/origin_connection.h"
#include "services/replica/testing/server_fixture.h"

namespace perigee::replica {
namespace {

using namespace testing;

constexpr std::string_view kEarlyHints =
    "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\nConnection: x\r\nX: 1\r\nContent-Length: 5\r\nCache-Tag: "
    "a\r\n\r\n";

// --- Stale answers (RFC 5861) ---

TEST_F(ServerTest, StaleIsServedWhileItIsValidatedOnce) {
  Gate validated;
  Start(Answer(Ok("old", "Cache-Control: max-age=0, stale-while-revalidate=60\r\nETag: \"1\"\r\n")));
  Fetch("/a");
  origin_->SetScript([validated](const std::string& head, TestSocket& socket) {
    if (head.find("If-None-Match: \"1\"") == std::string::npos) return false;
    return validated.Wait() && socket.Send(Ok("new", "Cache-Control: max-age=60\r\n"));
  });
  for (int i = 0; i < 3; ++i) EXPECT_EQ(Fetch("/a").body, "old") << "nobody waits for the origin";
  validated.Open();
  Await(&ServerStats::hits, 3);
  TestResponse answer = Fetch("/a");
  for (int i = 0; i < 1'000 && answer.body == "old"; ++i) answer = Fetch("/a");
  EXPECT_EQ(answer.body, "new");
  EXPECT_EQ(origin_->requests(), 2);
}

TEST_F(ServerTest, StaleStaysWhileTheOriginIsInTrouble) {
  Start(Answer(Ok("old", "Cache-Control: max-age=0, stale-while-revalidate=60\r\nETag: \"1\"\r\n")));
  Fetch("/a");
  origin_->SetScript(Answer("HTTP/1.1 503 x\r\nContent-Length: 0\r\n\r\n"));
  for (int i = 0; i < 5; ++i) EXPECT_EQ(Fetch("/a").body, "old");
}

TEST_F(ServerTest, StaleStandsInForAnErrorStatusWhereTheOriginSaysSo) {
  Start([](const std::string& head, TestSocket& socket) {
    const bool allows = head.find("GET /a") == 0;
    return socket.Send(Ok("old", allows ? "Cache-Control: max-age=0, stale-if-error=60\r\nETag: \"1\"\r\n"
                                        : "Cache-Control: max-age=0\r\nETag: \"1\"\r\n"));
  });
  Fetch("/a");
  Fetch("/b");
  origin_->SetScript(Answer("HTTP/1.1 503 x\r\nContent-Length: 0\r\n\r\n"));
  const TestResponse stale = Fetch("/a");
  EXPECT_EQ(stale.body, "old");
  EXPECT_THAT(stale.Field("Cache-Status"), HasSubstr("fwd=stale"));
  EXPECT_THAT(stale.Field("Cache-Status"), HasSubstr("detail=error-status"));
  EXPECT_EQ(Fetch("/b").status, 503);
  origin_->SetScript(Answer("HTTP/1.1 404 x\r\nContent-Length: 0\r\n\r\n"));
  EXPECT_EQ(Fetch("/a").status, 404);
}

TEST_F(ServerTest, StaleStandsInForAnErrorStatusToHeadToo) {
  Start(Answer(Ok("old", "Cache-Control: max-age=0, stale-if-error=60\r\n")));
  Fetch("/a");
  origin_->SetScript(Answer("HTTP/1.1 503 x\r\nContent-Length: 0\r\n\r\n"));
  TestSocket client = TestSocket::ConnectTo(port());
  client.Send("HEAD /a HTTP/1.1\r\nHost: cdn.test\r\n\r\n");
  const TestResponse stale = ReadResponse(client, true);
  EXPECT_EQ(stale.status, 200);
  EXPECT_EQ(stale.Field("Content-Length"), "3");
}

TEST_F(ServerTest, OneClientsLeaveToServeStaleIsNotAnothers) {
  Gate go;
  Start(Answer(Ok("old", kAlwaysValidate)));
  Fetch("/a");
  origin_->SetScript([go](const std::string&, TestSocket& socket) {
    return go.Wait() && socket.Send("HTTP/1.1 503 x\r\nContent-Length: 0\r\n\r\n");
  });
  TestSocket leader = TestSocket::ConnectTo(port());
  leader.Send(Get("/a", "Cache-Control: stale-if-error=60\r\n"));
  Await(&ServerStats::misses, 2);
  TestSocket alike = TestSocket::ConnectTo(port());
  alike.Send(Get("/a", "Cache-Control: stale-if-error=60\r\n"));
  TestSocket other = TestSocket::ConnectTo(port());
  other.Send(Get("/a"));
  Await(&ServerStats::collapsed, 2);
  go.Open();
  EXPECT_EQ(ReadResponse(leader).body, "old");
  EXPECT_THAT(ReadResponse(alike).Field("Cache-Status"), HasSubstr("collapsed; detail=error-status"));
  EXPECT_EQ(ReadResponse(other).status, 503);
}

// What must be validated is not for those who ask once it is there, however long its body takes.
TEST_F(ServerTest, WhatIsOnItsWayIsFollowedLateOnlyWhileFresh) {
  Gate rest;
  Start([rest](const std::string& head, TestSocket& socket) {
    socket.Send(
        fmt::format("HTTP/1.1 200 OK\r\nCache-Control: {}\r\nETag: \"1\"\r\nContent-Length: 3\r\n\r\n",
                    head.starts_with("GET /fresh") ? "max-age=60" : "no-cache"));
    return rest.Wait() && socket.Send("old");
  });
  auto clients = SendMany(1, Get("/fresh"));
  clients.push_back(std::move(SendMany(1, Get("/a")).front()));
  for (TestSocket& client : clients) client.ReadUntil("\r\n\r\n");
  origin_->SetScript(Answer(Ok("new", kAlwaysValidate)));
  EXPECT_EQ(Fetch("/a").body, "new");
  clients.push_back(std::move(SendMany(1, Get("/fresh")).front()));
  Await(&ServerStats::collapsed, 1);
  rest.Open();
  for (TestSocket& client : clients) EXPECT_THAT(client.ReadUntil("old"), ::testing::EndsWith("old"));
  EXPECT_EQ(origin_->requests(), 3);
}

TEST_F(ServerTest, WhatWasReloadedMeanwhileIsNotReplacedByWhatIsOlder) {
  Gate rest;
  Start([rest](const std::string& head, TestSocket& socket) {
    if (head.find("no-cache") != std::string::npos) return socket.Send(Ok("new"));
    socket.Send("HTTP/1.1 200 OK\r\nCache-Control: max-age=60\r\nContent-Length: 3\r\n\r\n");
    return rest.Wait() && socket.Send("old");
  });
  TestSocket slow = TestSocket::ConnectTo(port());
  slow.Send(Get("/a"));
  slow.ReadUntil("\r\n\r\n");
  EXPECT_EQ(Fetch("/a", "Cache-Control: no-cache\r\n").body, "new");
  rest.Open();
  EXPECT_EQ(slow.ReadBytes(3), "old");
  slow.Send(Get("/a"));  // once the flight is over
  EXPECT_EQ(ReadResponse(slow).body, "new");
}

TEST_F(ServerTest, OptionsThatGoNoFurtherAreAnsweredHere) {
  Start(Answer(Ok("")));
  const TestResponse answer = Ask(port(), "OPTIONS /a HTTP/1.1\r\nHost: cdn.test\r\nMax-Forwards: 0\r\n\r\n");
  EXPECT_EQ(answer.status, 200);
  EXPECT_THAT(answer.Field("Allow"), HasSubstr("GET"));
  EXPECT_EQ(origin_->requests(), 0);
}

TEST_F(ServerTest, WhatIsSupersededDoesNotComeBack) {
  Start(Answer(Ok("old", kAlwaysValidate)));
  Fetch("/a");
  origin_->SetScript(Answer(Ok("new", kPrivate)));
  EXPECT_EQ(Fetch("/a").body, "new");
  origin_->Stop();
  EXPECT_EQ(Fetch("/a").status, 502);
}

TEST_F(ServerTest, WhatIsSupersededTakesNoOtherVariantWithIt) {
  Start(Answer(Ok("old", "Cache-Control: max-age=60\r\nVary: Accept-Language\r\n")));
  Fetch("/a", "Accept-Language: de\r\n");
  Fetch("/a", "Accept-Language: fr\r\n");
  origin_->SetScript(Answer(Ok("new", kPrivate)));
  EXPECT_EQ(Fetch("/a", "Accept-Language: fr\r\nCache-Control: no-cache\r\n").body, "new");
  EXPECT_EQ(Fetch("/a", "Accept-Language: fr\r\n").body, "new");
  EXPECT_EQ(Fetch("/a", "Accept-Language: de\r\n").body, "old");
}

TEST_F(ServerTest, NotModifiedThatForbidsStoringEndsTheStoredOne) {
  Start(Answer(Ok("old", kAlwaysValidate)));
  Fetch("/a");
  origin_->SetScript(Answer("HTTP/1.1 304 x\r\nETag: \"v1\"\r\nCache-Control: private\r\n\r\n"));
  EXPECT_EQ(Fetch("/a").body, "old");
  EXPECT_EQ(cache_->Stats().objects, 0u);
}

TEST_F(ServerTest, SetCookieOfA304IsForNobodyElse) {
  Start(Answer(Ok("old", kAlwaysValidate)));
  Fetch("/a");
  origin_->SetScript(
      Answer("HTTP/1.1 304 x\r\nETag: \"v1\"\r\nCache-Control: max-age=60\r\nSet-Cookie: a=b\r\n\r\n"));
  EXPECT_EQ(Fetch("/a").Field("Set-Cookie"), "");
  const TestResponse hit = Fetch("/a");
  EXPECT_THAT(hit.Field("Cache-Status"), HasSubstr("hit"));
  EXPECT_EQ(hit.Field("Set-Cookie"), "");
}

// --- Ranges ---

TEST_F(ServerTest, RangesComeFromTheStoredWhole) {
  Start(Answer(Ok("0123456789", "Cache-Control: max-age=60\r\nETag: \"1\"\r\nContent-Type: text/x\r\n")));
  Fetch("/a");
  const TestResponse one = Fetch("/a", "Range: bytes=2-4\r\n");
  EXPECT_EQ(one.status, 206);
  EXPECT_EQ(one.body, "234");
  EXPECT_EQ(one.Field("Content-Range"), "bytes 2-4/10");
  EXPECT_EQ(Fetch("/a", "Range: bytes=-1\r\n").body, "9");
  const TestResponse two = Fetch("/a", "Range: bytes=0-1,8-\r\n");
  EXPECT_THAT(two.Field("Content-Type"), StartsWith("multipart/byteranges; boundary="));
  EXPECT_THAT(two.body, HasSubstr("Content-Range: bytes 8-9/10\r\n\r\n89\r\n"));
  EXPECT_TRUE(two.complete);
  const TestResponse none = Fetch("/a", "Range: bytes=10-\r\n");
  EXPECT_EQ(none.status, 416);
  EXPECT_EQ(none.Field("Content-Range"), "bytes */10");
  EXPECT_EQ(Fetch("/a", "Range: bytes=2-4\r\nIf-Range: \"2\"\r\n").body, "0123456789");
  EXPECT_EQ(Fetch("/a", "Range: bytes=2-4\r\nIf-Range: \"1\"\r\n").body, "234");
  EXPECT_EQ(Fetch("/a", "Range: bytes=2-4\r\nIf-None-Match: \"1\"\r\n").status, 304);
  EXPECT_EQ(origin_->requests(), 1);
}

TEST_F(ServerTest, HeadKnowsNoRanges) {
  Start(Answer(Ok("0123456789")));
  Fetch("/a");
  const TestResponse head =
      Ask(port(), "HEAD /a HTTP/1.1\r\nHost: a\r\nRange: bytes=2-4\r\nConnection: close\r\n\r\n");
  EXPECT_EQ(head.status, 200);
  EXPECT_EQ(head.Field("Content-Length"), "10");
  EXPECT_EQ(head.body, "");
}

TEST_F(ServerTest, WhatIsAskedForInPartIsFetchedWholeBehindTheAnswer) {
  Start([](const std::string& head, TestSocket& socket) {
    if (head.find("Range: bytes=2-4") == std::string::npos) return socket.Send(Ok("0123456789"));
    return socket.Send(
        "HTTP/1.1 206 x\r\nContent-Range: bytes 2-4/10\r\nContent-Length: 3\r\n"
        "Cache-Control: max-age=60\r\n\r\n234");
  });
  EXPECT_EQ(Fetch("/a", "Range: bytes=2-4\r\n").body, "234");
  TestResponse part = Fetch("/a", "Range: bytes=5-6\r\n");
  for (int i = 0; i < 1'000 && part.status != 206; ++i) part = Fetch("/a", "Range: bytes=5-6\r\n");
  EXPECT_EQ(part.body, "56");
  EXPECT_THAT(part.Field("Cache-Status"), HasSubstr("hit"));
}

TEST_F(ServerTest, WhatMayNotBeStoredIsNotFetchedBehindAPart) {
  limits_.max_object_bytes = 9;
  Start([](const std::string& head, TestSocket& socket) {
    const bool is_private = head.starts_with("GET /private");
    return socket.Send(
        fmt::format("HTTP/1.1 206 x\r\nContent-Range: bytes 2-4/{}\r\nContent-Length: 3\r\n{}\r\n234",
                    is_private ? 9 : 10, is_private ? kPrivate : "Cache-Control: max-age=60\r\n"));
  });
  for (const char* path : {"/private", "/large", "/private"}) Fetch(path, "Range: bytes=2-4\r\n");
  EXPECT_EQ(origin_->requests(), 3);
}

// --- Invalidation ---

TEST_F(ServerTest, UnsafeRequestInvalidatesTheLocationsThatItNames) {
  Start([](const std::string& head, TestSocket& socket) {
    if (head.starts_with("GET")) return socket.Send(Ok("x"));
    return socket.Send(
        "HTTP/1.1 201 x\r\nContent-Length: 0\r\nLocation: made\r\nContent-Location: http://A/said\r\n\r\n");
  });
  for (const char* path : {"/dir/made", "/said", "/other"}) Fetch(path);
  Ask(port(), "M-SEARCH http://a:80/dir/new HTTP/1.1\r\nHost: b\r\nConnection: close\r\n\r\n");
  for (const char* path : {"/dir/made", "/said"}) {
    EXPECT_THAT(Fetch(path).Field("Cache-Status"), HasSubstr("fwd=uri-miss")) << path;
  }
  EXPECT_THAT(Fetch("/other").Field("Cache-Status"), HasSubstr("hit"));
}

TEST_F(ServerTest, HeadFreshensOrEndsTheStoredGet) {
  Start(Answer(Ok("hello", kAlwaysValidate)));
  Fetch("/a");
  const auto head = [&] { return Ask(port(), "HEAD /a HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"); };
  origin_->SetScript(
      Answer("HTTP/1.1 200 OK\r\nContent-Length: 5\r\nCache-Control: max-age=60\r\nX: 1\r\n\r\n"));
  head();
  const TestResponse fresh = Fetch("/a");
  EXPECT_THAT(fresh.Field("Cache-Status"), HasSubstr("hit"));
  EXPECT_EQ(fresh.Field("X"), "1");
  EXPECT_EQ(fresh.body, "hello");

  origin_->SetScript(Answer(Ok("hello", kAlwaysValidate)));
  Fetch("/b");
  origin_->SetScript(Answer("HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\n"));
  Ask(port(), "HEAD /b HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
  EXPECT_EQ(cache_->Stats().objects, 1u);
}

// --- Interim responses ---

TEST_F(ServerTest, InterimResponsesReachTheClientButNotTheCache) {
  Start([](const std::string&, TestSocket& socket) {
    return socket.Send(kEarlyHints) && socket.Send("HTTP/1.1 102 x\r\n\r\n") && socket.Send(Ok("hello"));
  });
  TestSocket client = TestSocket::ConnectTo(port());
  client.Send(Get("/a"));
  EXPECT_EQ(client.ReadUntil("\r\n\r\n"), "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n");
  EXPECT_EQ(client.ReadUntil("\r\n\r\n"), "HTTP/1.1 102 x\r\n\r\n");
  EXPECT_EQ(ReadResponse(client).body, "hello");
  client.Send(Get("/a"));
  const TestResponse hit = ReadResponse(client);
  EXPECT_EQ(hit.status, 200);
  EXPECT_EQ(hit.Field("Link"), "");
}

TEST_F(ServerTest, InterimResponsesAreNotForOldClients) {
  Start([](const std::string&, TestSocket& socket) {
    return socket.Send(kEarlyHints) && socket.Send(Ok("x"));
  });
  EXPECT_EQ(Ask(port(), "GET /a HTTP/1.0\r\n\r\n").status, 200);
}

TEST_F(ServerTest, EndlessInterimResponsesAreCutOff) {
  Start([](const std::string&, TestSocket& socket) {
    for (int i = 0; i <= kMaxInterimResponses; ++i) {
      if (!socket.Send("HTTP/1.1 102 x\r\n\r\n")) return false;
    }
    return true;
  });
  EXPECT_EQ(Ask(port(), "GET /a HTTP/1.0\r\n\r\n").status, 502);
}

// --- Directives for this cache ---

TEST_F(ServerTest, CdnCacheControlRulesHereAndGoesOnToTheClient) {
  Start(Answer(Ok("x", "Cache-Control: no-store\r\nCDN-Cache-Control: max-age=60\r\n")));
  Fetch("/a");
  const TestResponse hit = Fetch("/a");
  EXPECT_THAT(hit.Field("Cache-Status"), HasSubstr("hit"));
  EXPECT_EQ(hit.Field("CDN-Cache-Control"), "max-age=60");
  EXPECT_EQ(hit.Field("Cache-Control"), "no-store");
}

}  // namespace
}  // namespace perigee::replica
