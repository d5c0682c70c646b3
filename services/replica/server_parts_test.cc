// Parts of objects that are not stored whole (RFC 9111 §3.3, §3.4): what of them is stored, and what they
// answer.

#include "lib/base/testing/files.h"
#include "lib/sqlite/sqlite.h"
#include "services/replica/testing/parts_fixture.h"

namespace perigee::replica {
namespace {

using namespace testing;

TEST_F(PartsServerTest, APartAnswersWhatLiesWithinIt) {
  Start(Ranges());
  const TestResponse miss = StorePart(100, 199);
  EXPECT_EQ(Status(miss), "Perigee; fwd=uri-miss; fwd-status=206; stored");
  EXPECT_EQ(miss.body, Bytes(100, 199));
  ExpectHit(FetchPart(100, 199), 100, 199);
  const TestResponse within = FetchPart(110, 119);
  ExpectHit(within, 110, 119);
  EXPECT_EQ(Status(within), "Perigee; hit; ttl=60; detail=memory");
  EXPECT_EQ(within.Field("Content-Type"), "video/x");
  EXPECT_EQ(origin_->requests(), 1);
}

TEST_F(PartsServerTest, PartsAnswerTogether) {
  Start(Ranges());
  for (const auto& [first, last] : {std::pair{2'900, 2'999}, {100, 199}, {200, 299}}) StorePart(first, last);
  ExpectHit(FetchPart(150, 249), 150, 249);
  ExpectHit(Fetch("/film", "Range: bytes=-50\r\n"), 2'950, 2'999);
  const TestResponse several = Fetch("/film", "Range: bytes=190-209,2998-\r\n");
  EXPECT_THAT(Status(several), HasSubstr("; hit"));
  EXPECT_THAT(several.body,
              HasSubstr("Content-Range: bytes 190-209/3000\r\n\r\n" + Bytes(190, 209) + "\r\n--"));
  EXPECT_THAT(several.body, HasSubstr("Content-Range: bytes 2998-2999/3000\r\n\r\n" + Bytes(2'998, 2'999)));
  EXPECT_TRUE(several.complete);
  EXPECT_EQ(origin_->requests(), 3);
}

TEST_F(PartsServerTest, WhatNeedsNoFurtherByteIsAnsweredFromAnyPart) {
  Start(Ranges());
  StorePart(100, 199);
  EXPECT_EQ(Fetch("/film", "Range: bytes=3000-\r\n").Field("Content-Range"), "bytes */3000");
  EXPECT_EQ(FetchPart(0, 9, "If-None-Match: \"v1\"\r\n").status, 304);
  EXPECT_EQ(Fetch("/film", "If-None-Match: \"v1\"\r\n").status, 304);
  const TestResponse head = Ask(port(), "HEAD /film HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
  EXPECT_EQ(head.status, 200);
  EXPECT_EQ(head.Field("Content-Length"), "3000");
  EXPECT_EQ(head.Field("Content-Range"), "");
  EXPECT_EQ(origin_->requests(), 1);
}

TEST_F(PartsServerTest, WhatIsNotAllThereIsAskedOfTheOrigin) {
  Start(Ranges());
  StorePart(100, 199);
  const TestResponse beyond = StorePart(150, 249);
  EXPECT_EQ(Status(beyond), "Perigee; fwd=partial; fwd-status=206; stored");
  EXPECT_EQ(beyond.body, Bytes(150, 249));
  const TestResponse whole = Fetch("/film");
  EXPECT_EQ(Status(whole), "Perigee; fwd=partial; fwd-status=200; detail=too-large");
  EXPECT_EQ(whole.body, Bytes(0, kLength - 1));
  EXPECT_EQ(Fetch("/film", "Cache-Control: only-if-cached\r\n").status, 504);
  ExpectHit(FetchPart(100, 249), 100, 249);
  EXPECT_EQ(origin_->requests(), 3);
}

// Those of 16 KiB and more lie in one file (cache/body_file.h).
TEST_F(PartsServerTest, PartsInOneFileAreNotTakenForEachOther) {
  limits_.max_object_bytes = 50'000;
  Start(Ranges({.length = 200'000}));
  StorePart(0, 29'999);
  StorePart(60'000, 89'999);
  StorePart(100'001, 130'000);
  for (const auto& [first, last] : {std::pair{100'001, 130'000}, {60'000, 89'999}, {70'000, 79'999}}) {
    const TestResponse hit = FetchPart(first, last);
    EXPECT_EQ(Status(hit), "Perigee; hit; ttl=60; detail=memory");
    EXPECT_TRUE(hit.body == Bytes(first, last)) << first;
  }
  EXPECT_EQ(origin_->requests(), 3);
}

TEST_F(PartsServerTest, IfRangeIsAnsweredByThePartsOnlyWhenItMatches) {
  Start(Ranges());
  StorePart(100, 199);
  ExpectHit(FetchPart(110, 119, "If-Range: \"v1\"\r\n"), 110, 119);
  origin_->SetScript(Answer(Ok("another")));
  const TestResponse other = FetchPart(110, 119, "If-Range: \"v0\"\r\n");
  EXPECT_EQ(other.body, "another");
  EXPECT_THAT(origin_->last_head(), HasSubstr("If-Range: \"v0\""));
}

TEST_F(PartsServerTest, PartsThatAreAllAreTheWhole) {
  Start(Ranges());
  StorePart(1'000, 1'999);
  StorePart(0, 999);
  StorePart(2'000, 2'999);
  const TestResponse whole = Fetch("/film");
  EXPECT_EQ(Status(whole), "Perigee; hit; ttl=60; detail=memory");
  EXPECT_EQ(whole.status, 200);
  EXPECT_EQ(whole.Field("Content-Length"), "3000");
  EXPECT_EQ(whole.Field("Content-Range"), "");
  EXPECT_TRUE(whole.body == Bytes(0, kLength - 1));
  EXPECT_EQ(origin_->requests(), 3);
}

TEST_F(PartsServerTest, AnAnswerIsPutTogetherOfSoManyPartsAtMost) {
  Start(Ranges());
  for (uint64_t i = 0; i <= kMaxPartsPerAnswer; ++i) StorePart(i, i);
  ExpectHit(FetchPart(0, kMaxPartsPerAnswer - 1), 0, kMaxPartsPerAnswer - 1);
  EXPECT_THAT(Status(FetchPart(0, kMaxPartsPerAnswer)), HasSubstr("fwd=partial"));
}

TEST_F(PartsServerTest, WhatIsNotSurelyAPartIsRelayedAndNotStored) {
  const auto part = [](std::string_view range, std::string_view fields = "ETag: \"v1\"\r\n",
                       std::string_view framing = "Content-Length: 10\r\n") {
    return fmt::format("HTTP/1.1 206 x\r\nContent-Range: {}\r\n{}Cache-Control: max-age=60\r\n{}\r\n", range,
                       framing, fields);
  };
  const std::string now =
      "Date: Thu, 01 Jan 2026 00:00:00 GMT\r\nLast-Modified: Thu, 01 Jan 2026 00:00:00 GMT\r\n";
  const std::pair<std::string, const char*> cases[] = {
      {part("bytes 0-8/3000"), "bad-range"},
      {part("bytes 0-10/3000"), "bad-range"},
      {part("bytes 0-9/9"), "no-single-range"},
      {part("bytes 0-9/*"), "no-single-range"},
      {part("bytes 0-9/3000", "ETag: \"v1\"\r\nContent-Type: multipart/byteranges; boundary=B\r\n"),
       "no-single-range"},
      {part("bytes 0-9/3000", "ETag: W/\"v1\"\r\n"), "no-strong-validator"},
      {part("bytes 0-9/3000", ""), "no-strong-validator"},
      {part("bytes 0-9/3000", now), "no-strong-validator"},
      {part("bytes 0-9/3000", "ETag: \"v1\"\r\nCache-Control: private\r\n"), "private"},
      {part("bytes 0-9/3000", "ETag: \"v1\"\r\nVary: *\r\n"), "vary-star"},
  };
  Start(Ranges());
  for (const auto& [head, why] : cases) {
    origin_->SetScript(Answer(head + Bytes(0, 9)));
    const TestResponse answer = FetchPart(0, 9);
    EXPECT_EQ(Status(answer), fmt::format("Perigee; fwd=uri-miss; fwd-status=206; detail={}", why)) << head;
    EXPECT_EQ(answer.body, Bytes(0, 9));
  }
  EXPECT_EQ(cache_->Stats().objects, 0u);
  EXPECT_EQ(origin_->requests(), static_cast<int>(std::size(cases)));
}

TEST_F(PartsServerTest, AStrongLastModifiedIsEnough) {
  Start(Ranges({.fields = "Cache-Control: max-age=60\r\nDate: Thu, 01 Jan 2026 00:00:01 GMT\r\n"
                          "Last-Modified: Thu, 01 Jan 2026 00:00:00 GMT\r\n"}));
  const TestResponse part = StorePart(0, 9);
  EXPECT_THAT(Status(part), HasSubstr("stored"));
}

TEST_F(PartsServerTest, WhatIsLargerThanAnObjectMayBeIsNotStored) {
  Start(Ranges());
  EXPECT_THAT(Status(FetchPart(0, kMaxObject)), HasSubstr("detail=too-large"));
  EXPECT_THAT(Status(StorePart(0, kMaxObject - 1)), HasSubstr("stored"));
}

TEST_F(PartsServerTest, WhatComesShorterOrLongerThanItSaysIsNotStored) {
  const std::string head =
      "HTTP/1.1 206 x\r\nContent-Range: bytes 0-9/3000\r\nETag: \"v1\"\r\nCache-Control: max-age=60\r\n";
  const std::string cases[] = {
      head + "Transfer-Encoding: chunked\r\n\r\n9\r\n" + Bytes(0, 8) + "\r\n0\r\n\r\n",
      head + "Transfer-Encoding: chunked\r\n\r\nb\r\n" + Bytes(0, 10) + "\r\n0\r\n\r\n",
      head + "Transfer-Encoding: chunked\r\n\r\n9\r\n" + Bytes(0, 8) + "\r\n",  // and hangs up
      head + "Content-Length: 10\r\n\r\n" + Bytes(0, 8),
  };
  Start(Ranges());
  for (const std::string& answer : cases) {
    origin_->SetScript(
        [answer](const std::string&, TestSocket& socket) { return socket.Send(answer) && false; });
    FetchPart(0, 9);
  }
  origin_->SetScript(Ranges());
  EXPECT_THAT(Status(StorePart(0, 9)), HasSubstr("fwd=uri-miss"));
  EXPECT_EQ(origin_->requests(), 5);
}

TEST_F(PartsServerTest, AClientsOwnConditionIsTheOriginsToAnswerWhereNothingIsStored) {
  Start(Answer("HTTP/1.1 304 Not Modified\r\nETag: \"v1\"\r\n\r\n"));
  EXPECT_EQ(FetchPart(0, 9, "If-None-Match: \"v1\"\r\n").status, 304);
  EXPECT_THAT(origin_->last_head(), HasSubstr("If-None-Match: \"v1\"\r\n"));
}

TEST_F(PartsServerTest, EachVariantHasItsOwn) {
  Start(Ranges({.fields = "Cache-Control: max-age=60\r\nETag: \"v1\"\r\nVary: Accept-Language\r\n"}));
  StorePart(100, 199, "Accept-Language: de\r\n");
  ExpectHit(FetchPart(100, 199, "Accept-Language: de\r\n"), 100, 199);
  EXPECT_THAT(Status(StorePart(100, 199, "Accept-Language: fr\r\n")), HasSubstr("fwd=vary-miss"));
}

TEST_F(PartsServerTest, AnAnswerToIfRangeAddsToTheOthersButStandsForNothingAlone) {
  const Film bare{.fields = "Cache-Control: max-age=60\r\nETag: \"v1\"\r\n"};
  Start(Ranges(bare));
  const TestResponse alone = FetchPart(100, 199, "If-Range: \"v1\"\r\n");
  EXPECT_EQ(Status(alone), "Perigee; fwd=uri-miss; fwd-status=206; detail=if-range");
  origin_->SetScript(Ranges());
  StorePart(100, 199);
  origin_->SetScript(Ranges(bare));
  StorePart(200, 299, "If-Range: \"v1\"\r\n");
  const TestResponse both = FetchPart(150, 249);
  ExpectHit(both, 150, 249);
  EXPECT_EQ(both.Field("Content-Type"), "video/x");
}

TEST_F(PartsServerTest, APartServesWhileTheWholeIsOnItsWay) {
  limits_.max_object_bytes = kLength;
  const Gate gate;
  const auto ranges = Ranges();
  Start([gate, ranges](const std::string& head, TestSocket& socket) {
    return (head.find("Range:") != std::string::npos || gate.Wait()) && ranges(head, socket);
  });
  StorePart(100, 199);
  ExpectHit(FetchPart(150, 199), 150, 199);
  gate.Open();
  const auto give_up = std::chrono::steady_clock::now() + std::chrono::seconds(5);
  while (cache_->Stats().bytes < kLength && std::chrono::steady_clock::now() < give_up)
    std::this_thread::yield();
  ExpectHit(FetchPart(2'000, 2'999), 2'000, 2'999);
  EXPECT_EQ(cache_->Stats().objects, 1u);
  EXPECT_EQ(origin_->requests(), 2);
}

TEST_F(PartsServerTest, TheRestOfAClientThatGoesIsFetchedAllTheSame) {
  const Gate gate;
  Start([gate](const std::string&, TestSocket& socket) {
    const std::string part = PartOf({}, 0, 999);
    return socket.Send(part.substr(0, part.size() - 500)) && gate.Wait() &&
           socket.Send(part.substr(part.size() - 500));
  });
  {
    TestSocket client = TestSocket::ConnectTo(port());
    client.Send(Get("/film", "Range: bytes=0-999\r\n"));
    client.ReadUntil("\r\n\r\n");
  }
  gate.Open();
  AwaitObjects(1);
  ExpectHit(FetchPart(0, 999), 0, 999);
}

class PartsOnDiskTest : public PartsServerTest {
 protected:
  PartsOnDiskTest() {
    cache_options_.path = folder_ / "cache.sqlite";
    cache_options_.large_object_bytes = 500;
  }
  ~PartsOnDiskTest() override {
    server_.reset();
    cache_.reset();
  }
  TemporaryFolder folder_;
};

TEST_F(PartsOnDiskTest, LargeAndSmallOnesAnswerTogetherAlsoAfterARestart) {
  Start(Ranges());
  StorePart(0, 799);
  StorePart(800, 899);
  StorePart(900, 1'899);
  const auto expect_hits = [&] {
    const TestResponse all = FetchPart(100, 1'799);
    ExpectHit(all, 100, 1'799);
    EXPECT_THAT(Status(all), HasSubstr("detail=disk"));
    const TestResponse several = Fetch("/film", "Range: bytes=790-809,1890-1899\r\n");
    EXPECT_THAT(several.body, HasSubstr("bytes 790-809/3000\r\n\r\n" + Bytes(790, 809) + "\r\n--"));
    EXPECT_THAT(several.body, HasSubstr("bytes 1890-1899/3000\r\n\r\n" + Bytes(1'890, 1'899) + "\r\n--"));
  };
  expect_hits();
  StartServer(fmt::format("127.0.0.1:{}", origin_->port()));
  expect_hits();
  EXPECT_EQ(origin_->requests(), 3);
}

TEST_F(PartsOnDiskTest, ADamagedOneIsAMiss) {
  Start(Ranges());
  StorePart(0, 99);
  StorePart(100, 899);
  ASSERT_TRUE(cache_->Flush().ok());
  {
    auto file = *sqlite::Database::Open(cache_options_.path, sqlite::Database::Mode::kReadWriteCreate);
    ASSERT_TRUE(file.Execute("UPDATE chunk SET data = zeroblob(length(data)) WHERE length(data) > 800").ok());
  }
  StorePart(1'000, 1'000);  // a commit of the cache's own, after which its readers look anew
  ASSERT_TRUE(cache_->Flush().ok());
  const TestResponse again = FetchPart(100, 199);
  EXPECT_EQ(Status(again), "Perigee; fwd=uri-miss; fwd-status=206; stored");
  EXPECT_EQ(again.body, Bytes(100, 199));
  EXPECT_EQ(cache_->Stats().disk_errors, 1u);
  ExpectHit(FetchPart(0, 99), 0, 99);
}

}  // namespace
}  // namespace perigee::replica
