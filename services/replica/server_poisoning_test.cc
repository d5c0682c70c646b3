// Cache poisoning: what one client sends must not decide what others are served, unless it is part of the
// key.
#include "services/replica/testing/server_fixture.h"

namespace perigee::replica {
namespace {

using namespace testing;

// An origin that answers each request with what it was sent, as one that believes in it would.
bool Echo(const std::string& head, TestSocket& socket) { return socket.Send(Ok(head)); }

TEST_F(ServerTest, UnkeyedFieldsOfAClientDoNotReachTheOrigin) {
  Start(Echo);
  for (const char* field : {"X-Forwarded-Host", "X-Forwarded-Scheme", "X-Forwarded-Proto", "X-Forwarded-Port",
                            "X-Forwarded-Server", "Forwarded", "X-Original-URL", "X-Rewrite-URL", "X-Host",
                            "X-HTTP-Method-Override", "X-HTTP-Method", "X-Method-Override", "X-Real-IP",
                            "X_Forwarded_Host", "Proxy"}) {
    EXPECT_THAT(Fetch(fmt::format("/{}", field), fmt::format("{}: evil.test\r\n", field)).body,
                Not(HasSubstr("evil.test")))
        << field;
  }
}

TEST_F(ServerTest, TheClientsHostIsNeitherKeyNorAnswer) {
  Start(Echo);
  EXPECT_THAT(Ask(port(), "GET /a HTTP/1.1\r\nHost: evil.test\r\n\r\n").body, Not(HasSubstr("evil.test")));
  for (const char* host : {"cdn.test", "CDN.Test", "cdn.test:80", "cdn.test."}) {
    EXPECT_THAT(Ask(port(), fmt::format("GET /a HTTP/1.1\r\nHost: {}\r\n\r\n", host)).Field("Cache-Status"),
                HasSubstr("hit"))
        << host;
  }
}

TEST_F(ServerTest, AGetWithABodyIsNeitherStoredNorShared) {
  Start([](const std::string& head, TestSocket& socket) {
    if (head.find("Content-Length: 4\r\n") != std::string::npos) socket.ReadBytes(4);
    return Echo(head, socket);
  });
  const std::string fat = "GET /a HTTP/1.1\r\nHost: cdn.test\r\nContent-Length: 4\r\n\r\nevil";
  for (int i = 0; i < 2; ++i) EXPECT_THAT(Ask(port(), fat).Field("Cache-Status"), HasSubstr("fwd=bypass"));
  EXPECT_THAT(Fetch("/a").Field("Cache-Status"), HasSubstr("fwd=uri-miss"));
  EXPECT_THAT(Ask(port(), fat).Field("Cache-Status"), HasSubstr("fwd=bypass")) << "nor answered from it";
}

TEST_F(ServerTest, WhatConnectionHidesFromTheOriginMakesNoVariant) {
  Start([](const std::string& head, TestSocket& socket) {
    const bool french = head.find("Accept-Language: fr") != std::string::npos;
    return socket.Send(
        Ok(french ? "bonjour" : "hello", "Cache-Control: max-age=60\r\nVary: Accept-Language\r\n"));
  });
  EXPECT_EQ(Fetch("/a", "Accept-Language: fr\r\nConnection: Accept-Language\r\n").body, "hello");
  EXPECT_EQ(Fetch("/a", "Accept-Language: fr\r\n").body, "bonjour");
}

// Nor when the origin is asked behind an answer.
TEST_F(ServerTest, WhatConnectionHidesMakesNoVariantBehindAStaleAnswer) {
  Start([](const std::string& head, TestSocket& socket) {
    const bool french = head.find("Accept-Language: fr") != std::string::npos;
    return socket.Send(Ok(french ? "bonjour" : "hello",
                          "Cache-Control: max-age=0, stale-while-revalidate=60\r\nETag: \"1\"\r\n"
                          "Vary: Accept-Language\r\n"));
  });
  EXPECT_EQ(Fetch("/a", "Accept-Language: fr\r\n").body, "bonjour");
  EXPECT_EQ(Fetch("/a", "Accept-Language: fr\r\nConnection: Accept-Language\r\n").body, "bonjour");
  const auto give_up = std::chrono::steady_clock::now() + std::chrono::seconds(5);
  while (cache_->Stats().objects < 2 && std::chrono::steady_clock::now() < give_up) std::this_thread::yield();
  EXPECT_EQ(cache_->Stats().objects, 2u) << "what came is for those who name no language";
  EXPECT_EQ(Fetch("/a", "Accept-Language: fr\r\n").body, "bonjour");
}

// What it is asked with is too much for such an origin, and it says so in a cacheable way.
TEST_F(ServerTest, AnAnswerToOversizedFieldsIsNobodyElses) {
  Start([](const std::string& head, TestSocket& socket) {
    if (head.find("X-Large") == std::string::npos) return socket.Send(Ok("whole"));
    return socket.Send("HTTP/1.1 431 Too Large\r\nCache-Control: max-age=60\r\nContent-Length: 0\r\n\r\n");
  });
  EXPECT_EQ(Fetch("/a", "X-Large: 1\r\n").status, 431);
  EXPECT_EQ(Fetch("/a").body, "whole");
  EXPECT_EQ(Fetch("/a", "X-Large: 1\r\nCache-Control: no-cache\r\n").status, 431);
  EXPECT_THAT(Fetch("/a").Field("Cache-Status"), HasSubstr("hit")) << "nor does it push out what is stored";
}

// The origin refuses fields that are within this server's limit, with a status that may be stored.
TEST_F(ServerTest, AnErrorThatMayBeDueToOversizedFieldsIsNobodyElses) {
  Start([](const std::string& head, TestSocket& socket) {
    if (head.size() < 8'192) return socket.Send(Ok("whole"));
    return socket.Send("HTTP/1.1 400 x\r\nCache-Control: max-age=60\r\nContent-Length: 0\r\n\r\n");
  });
  const std::string oversized = "X-Large: " + std::string(8'192, 'x') + "\r\n";
  EXPECT_EQ(Fetch("/a", oversized).status, 400);
  EXPECT_EQ(Fetch("/a").body, "whole");
  EXPECT_EQ(Fetch("/a", "Cache-Control: no-cache\r\n" + oversized).status, 400);
  EXPECT_THAT(Fetch("/a").Field("Cache-Status"), HasSubstr("hit"));
}

TEST_F(ServerTest, AnAnswerToARangeOrAConditionIsNobodyElses) {
  Start([](const std::string& head, TestSocket& socket) {
    if (head.find("Range: ") == std::string::npos) return socket.Send(Ok("whole"));
    const int status = head.find("If-Match") == std::string::npos ? 416 : 412;
    return socket.Send(
        fmt::format("HTTP/1.1 {} x\r\nCache-Control: max-age=60\r\nContent-Length: 0\r\n\r\n", status));
  });
  EXPECT_EQ(Fetch("/a", "Range: bytes=9-\r\n").status, 416);
  EXPECT_EQ(Fetch("/a").body, "whole");
  EXPECT_EQ(Fetch("/b", "Range: bytes=0-1\r\nIf-Match: \"1\"\r\n").status, 412);
  EXPECT_EQ(Fetch("/b").body, "whole");
}

TEST_F(ServerTest, ARequestThatIsRefusedEndsNothing) {
  Start([](const std::string& head, TestSocket& socket) {
    const size_t refused = head.find("X-Status: ");
    if (refused == std::string::npos) return socket.Send(Ok("whole"));
    return socket.Send(
        fmt::format("HTTP/1.1 {} x\r\nContent-Length: 0\r\n\r\n", head.substr(refused + 10, 3)));
  });
  Fetch("/a");
  for (const int status : {400, 401, 407}) {
    const std::string fields = fmt::format("Cache-Control: no-cache\r\nX-Status: {}\r\n", status);
    EXPECT_EQ(Fetch("/a", fields).status, status);
    EXPECT_THAT(Fetch("/a").Field("Cache-Status"), HasSubstr("hit")) << status;
  }
  EXPECT_EQ(Fetch("/a", "Cache-Control: no-cache\r\nX-Status: 404\r\n").status, 404);
  EXPECT_THAT(Fetch("/a").Field("Cache-Status"), HasSubstr("uri-miss"));
}

TEST_F(ServerTest, WhatOneClientMaySeeOrKeepEndsNothing) {
  Start([](const std::string& head, TestSocket& socket) {
    if (head.find("Authorization: user") != std::string::npos) return socket.Send(Ok("own", kPrivate));
    if (head.find("If-None-Match") == std::string::npos) {
      return socket.Send(Ok(head.starts_with("HEAD") ? "" : "body", kAlwaysValidate));
    }
    return socket.Send("HTTP/1.1 304 x\r\nETag: \"v1\"\r\nCache-Control: max-age=0\r\nX-Of: one\r\n\r\n");
  });
  Fetch("/a");
  EXPECT_EQ(Fetch("/a", "Authorization: x\r\n").body, "body");
  EXPECT_EQ(Fetch("/a", "Authorization: user\r\n").body, "own");
  const std::string head = "HEAD /a HTTP/1.1\r\nHost: cdn.test\r\nConnection: close\r\n";
  Ask(port(), head + "Authorization: x\r\n\r\n");
  Ask(port(), head + "Cache-Control: no-store\r\n\r\n");
  const FindResult stored = cache_->Find(fmt::format("http://127.0.0.1:{}/a", origin_->port()), {});
  ASSERT_TRUE(stored.response);
  EXPECT_FALSE(stored.response->head.headers.Has("X-Of")) << "nor is it told to others";
}

// Each is another resource: the origin may answer them differently, so no two may share a key.
TEST_F(ServerTest, TargetsThatDifferInAnyByteAreStoredApart) {
  Start(Echo);
  const char* const targets[] = {"/a/b",    "/a/b/",    "/a//b",      "/A/b",       "/a%2fb",
                                 "/a%2Fb",  "/a/./b",   "/a/c/../b",  "/a/b?",      "/a/b?x",
                                 "/a/b?x=", "/a/b?x=1", "/a/b?x=1&y", "/a/b?y&x=1", "/%61/b",
                                 "/a/b;c",  "/a/b%20",  "/a/b%3f",    "/a/b%23"};
  for (const char* target : targets) {
    const TestResponse response = Fetch(target);
    EXPECT_THAT(response.Field("Cache-Status"), HasSubstr("fwd=uri-miss")) << target;
    EXPECT_THAT(response.body, StartsWith(fmt::format("GET {} HTTP/1.1\r\n", target)));
  }
  for (const char* target : targets) {
    const TestResponse response = Fetch(target);
    EXPECT_THAT(response.Field("Cache-Status"), HasSubstr("hit")) << target;
    EXPECT_THAT(response.body, StartsWith(fmt::format("GET {} HTTP/1.1\r\n", target)));
  }
}

TEST_F(ServerTest, EveryFormOfATargetIsTheSameKey) {
  Start(Echo);
  Fetch("/a?b");
  for (const char* target : {"http://cdn.test/a?b", "HTTP://cdn.test:80/a?b", "http://CDN.test/a?b"}) {
    EXPECT_THAT(Fetch(target).Field("Cache-Status"), HasSubstr("hit")) << target;
  }
}

}  // namespace
}  // namespace perigee::replica
