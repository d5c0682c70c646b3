// The HTTP side on loopback before origins that lie, stall, break off or speak nonsense: the client gets a
// correct error or a stored copy, nothing wrong is stored, and no other request suffers.
#include "services/replica/testing/server_fixture.h"

namespace perigee::replica {
namespace {

using namespace testing;

constexpr std::string_view kFresh = "HTTP/1.1 200 OK\r\nCache-Control: max-age=60\r\n";

struct Hostile {
  const char* name;
  std::string bytes;   // what the origin sends, before it closes
  const char* detail;  // of the error; null when the head is as it should be, and the body is cut off
};

std::vector<Hostile> EveryLie() {
  const std::string fresh(kFresh);
  return {
      {"garbage", "SSH-2.0-OpenSSH_9.2\r\n\r\n", "malformed"},
      {"another major version", "HTTP/2.0 200 OK\r\nContent-Length: 1\r\n\r\nx", "malformed"},
      {"no status", "HTTP/1.1 OK\r\nContent-Length: 1\r\n\r\nx", "malformed"},
      {"a status below 100", "HTTP/1.1 099 Odd\r\nContent-Length: 1\r\n\r\nx", "malformed"},
      {"nothing", "", "closed"},
      {"half a head", fresh + "Content-Le", "closed"},
      {"a huge field", fresh + "X: " + std::string(100'000, 'x') + "\r\n\r\n", "malformed"},
      {"many fields",
       fresh +
           [] {
             std::string fields;
             for (int i = 0; i < 20'000; ++i) fields += "X: y\r\n";
             return fields;
           }() +
           "\r\n",
       "malformed"},
      {"NUL in a field", fresh + std::string("X: a\0b\r\n\r\n", 11), "malformed"},
      {"a space before the colon", fresh + "Content-Length : 1\r\n\r\nx", "malformed"},
      {"two lengths", fresh + "Content-Length: 1\r\nContent-Length: 2\r\n\r\nab", "malformed"},
      {"a list of lengths", fresh + "Content-Length: 1, 2\r\n\r\nab", "malformed"},
      {"a negative length", fresh + "Content-Length: -1\r\n\r\nx", "malformed"},
      {"a signed length", fresh + "Content-Length: +1\r\n\r\nx", "malformed"},
      {"a length beyond 64 bits", fresh + "Content-Length: 18446744073709551617\r\n\r\nx", "malformed"},
      {"length and chunked",
       fresh + "Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n", "malformed"},
      {"chunked and length",
       fresh + "Transfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n1\r\nx\r\n0\r\n\r\n", "malformed"},
      {"an unknown coding", fresh + "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", "malformed"},
      {"304 to no condition", "HTTP/1.1 304 Not Modified\r\nETag: \"x\"\r\n\r\n", "malformed"},
      {"206 to no Range",
       "HTTP/1.1 206 Partial Content\r\nContent-Range: bytes 0-0/9\r\nContent-Length: 1\r\n\r\nx",
       "malformed"},
      {"an upgrade unasked for", "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n", "malformed"},
      {"a body that is too short", fresh + "Content-Length: 10\r\n\r\nhalf", nullptr},
      {"no last chunk", fresh + "Transfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n", nullptr},
      {"a chunk that is too short", fresh + "Transfer-Encoding: chunked\r\n\r\n9\r\nhalf", nullptr},
      {"a chunk size that is none", fresh + "Transfer-Encoding: chunked\r\n\r\nzz\r\nhalf\r\n0\r\n\r\n",
       nullptr},
      {"a negative chunk size", fresh + "Transfer-Encoding: chunked\r\n\r\n-4\r\nhalf\r\n0\r\n\r\n", nullptr},
      {"a chunk size beyond 64 bits",
       fresh + "Transfer-Encoding: chunked\r\n\r\n11111111111111111\r\nhalf\r\n0\r\n\r\n", nullptr},
      {"a chunk that is too long", fresh + "Transfer-Encoding: chunked\r\n\r\n2\r\nhalf\r\n0\r\n\r\n",
       nullptr},
  };
}

class HostileOriginTest : public ServerTest {
 protected:
  // "/good…" is answered as it should be, everything else by `hostile`.
  void StartWith(ScriptedOrigin::Script hostile) {
    limits_.failure_hold = milliseconds(0);
    limits_.max_origin_failures = 0;
    Start([hostile](const std::string& head, TestSocket& socket) {
      return head.starts_with("GET /good") ? socket.Send(Ok("good")) : hostile(head, socket);
    });
  }
  // What was fetched from the hostile origin is not what a following request gets.
  void ExpectNothingKept(const std::string& path) {
    origin_->SetScript(Answer(Ok("whole")));
    EXPECT_EQ(Fetch(path).body, "whole");
  }
};

TEST_F(HostileOriginTest, EveryLieIsAnErrorAndLeavesNothingBehind) {
  for (const Hostile& lie : EveryLie()) {
    SCOPED_TRACE(lie.name);
    StartWith([bytes = lie.bytes](const std::string&, TestSocket& socket) {
      socket.Send(bytes);
      return false;
    });
    const TestResponse response = Fetch("/a");
    if (lie.detail != nullptr) {
      EXPECT_EQ(response.status, 502);
      EXPECT_THAT(response.Field("Cache-Status"), HasSubstr(fmt::format("detail={}", lie.detail)));
    } else {
      EXPECT_EQ(response.status, 200);
      EXPECT_FALSE(response.complete) << response.body;
    }
    EXPECT_EQ(Fetch("/good").body, "good");
    EXPECT_EQ(cache_->Stats().objects, 1u);
    ExpectNothingKept("/a");
  }
}

TEST_F(HostileOriginTest, WhatIsStoredStandsInForEveryLieThatShowsInTheHead) {
  for (const Hostile& lie : EveryLie()) {
    if (lie.detail == nullptr || std::string_view(lie.name) == "304 to no condition") continue;
    SCOPED_TRACE(lie.name);
    StartWith(Answer(Ok("old", kAlwaysValidate)));
    Fetch("/a");
    origin_->SetScript([bytes = lie.bytes](const std::string&, TestSocket& socket) {
      socket.Send(bytes);
      return false;
    });
    const TestResponse stale = Fetch("/a");
    EXPECT_EQ(stale.status, 200);
    EXPECT_EQ(stale.body, "old");
    EXPECT_THAT(stale.Field("Cache-Status"), HasSubstr(fmt::format("detail={}", lie.detail)));
  }
}

TEST_F(HostileOriginTest, WhatIsPassedThroughMustBeAskedForToo) {
  for (const char* status : {"304 Not Modified", "206 Partial Content"}) {
    SCOPED_TRACE(status);
    StartWith(Answer(fmt::format("HTTP/1.1 {}\r\nContent-Length: 0\r\n\r\n", status)));
    EXPECT_EQ(Fetch("/a", "Cache-Control: no-store\r\n").status, 502);
    EXPECT_EQ(Ask(port(), "POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n").status, 502);
    EXPECT_NE(Fetch("/a", "Cache-Control: no-store\r\nIf-None-Match: \"x\"\r\nRange: bytes=0-\r\n").status,
              502);
  }
}

// Many servers say so before they close an idle connection, in the same moment in which a request comes.
TEST_F(HostileOriginTest, ATimeOutOfAKeptConnectionIsNoAnswerToTheNextRequest) {
  threads_ = 1;
  StartWith([this](const std::string&, TestSocket& socket) {
    if (origin_->connections() > 1) return socket.Send(Ok("again"));
    socket.Send("HTTP/1.1 408 Request Timeout\r\nContent-Length: 4\r\nConnection: close\r\n\r\nlate");
    return false;
  });
  EXPECT_EQ(Fetch("/good").body, "good");
  EXPECT_EQ(Fetch("/a").body, "again");
  EXPECT_EQ(origin_->connections(), 2);
}

TEST_F(HostileOriginTest, BytesBeyondAResponseAreNoAnswerToTheNextRequest) {
  const std::string forged = Ok("forged");
  for (const std::string& first :
       {Ok("five!", "Cache-Control: private\r\n") + forged, "HTTP/1.1 204 No Content\r\n\r\n" + forged,
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nfive!\r\n0\r\n\r\n" + forged}) {
    for (const bool late : {false, true}) {
      SCOPED_TRACE(first + (late ? " late" : ""));
      threads_ = 1;
      Gate sent;
      StartWith([first, forged, late, sent](const std::string&, TestSocket& socket) {
        const size_t honest = first.size() - forged.size();
        if (!late) return socket.Send(first);
        socket.Send(std::string_view(first).substr(0, honest));
        Gate().WaitFor(milliseconds(20));  // so that it comes when the connection is kept already
        socket.Send(forged);
        sent.Open();
        return true;
      });
      Fetch("/a");
      if (late) {
        ASSERT_TRUE(sent.Wait());
      }
      EXPECT_EQ(Fetch("/good").body, "good");
      EXPECT_EQ(origin_->connections(), 2);
    }
  }
}

TEST_F(HostileOriginTest, ABodyToHeadIsNoAnswerToTheNextRequest) {
  threads_ = 1;
  StartWith(Answer(Ok("HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nforged")));
  EXPECT_EQ(Ask(port(), "HEAD /a HTTP/1.1\r\nHost: a\r\n\r\n").status, 200);
  EXPECT_EQ(Fetch("/good").body, "good");
}

TEST_F(HostileOriginTest, AResetIsAnErrorWhereverItComes) {
  for (const std::string& before :
       {std::string(), std::string(kFresh), std::string(kFresh) + "Content-Length: 10\r\n\r\nhalf"}) {
    SCOPED_TRACE(before);
    StartWith([before](const std::string&, TestSocket& socket) {
      socket.Send(before);
      socket.Reset();
      return false;
    });
    const TestResponse response = Fetch("/a");
    EXPECT_THAT(response.status, AnyOf(502, 200));
    EXPECT_EQ(response.complete, response.status == 502);
    ExpectNothingKept("/a");
  }
}

TEST_F(HostileOriginTest, AStallAnywhereEndsInTimeAndNobodyElseWaits) {
  for (const std::string& before :
       {std::string(), std::string(kFresh), std::string(kFresh) + "Content-Length: 10\r\n\r\nhalf"}) {
    SCOPED_TRACE(before);
    limits_.first_byte_timeout = limits_.idle_timeout = milliseconds(200);
    Gate stalls, never;
    StartWith([before, stalls, never](const std::string&, TestSocket& socket) {
      socket.Send(before);
      stalls.Open();
      return never.Wait();
    });
    TestSocket client = TestSocket::ConnectTo(port());
    client.Send(Get("/a"));
    ASSERT_TRUE(stalls.Wait());
    for (int i = 0; i < 20; ++i) EXPECT_EQ(Fetch(fmt::format("/good{}", i)).body, "good");
    const TestResponse response = ReadResponse(client);
    EXPECT_THAT(response.status, AnyOf(504, 200));
    EXPECT_EQ(response.complete, response.status == 504);
    never.Open();
    ExpectNothingKept("/a");
  }
}

TEST_F(HostileOriginTest, AnOriginThatTakesNoUploadIs504WithinTheIdleTimeout) {
  limits_.idle_timeout = milliseconds(200);
  Gate never;
  StartWith([never](const std::string&, TestSocket&) { return never.Wait(); });
  TestSocket client = TestSocket::ConnectTo(port());
  std::thread upload([&client] {
    client.Send("PUT /a HTTP/1.1\r\nHost: a\r\nContent-Length: 50000000\r\n\r\n");
    client.Send(std::string(50'000'000, 'u'));
  });
  const TestResponse response = ReadResponse(client);
  EXPECT_EQ(response.status, 504);
  EXPECT_THAT(response.Field("Cache-Status"), HasSubstr("detail=idle-timeout"));
  client.Shutdown();
  upload.join();
  never.Open();
}

}  // namespace
}  // namespace perigee::replica
