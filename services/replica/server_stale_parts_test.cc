// Parts of objects that are stale, and what ends them: other representations, unsafe methods and purges.
#include "services/replica/testing/parts_fixture.h"

namespace perigee::replica {
namespace {

using namespace testing;

TEST_F(PartsServerTest, AStaleOneIsValidatedByTheRangeRequestItself) {
  Start(Ranges({.fields = std::string(kAlwaysValidate)}));
  StorePart(100, 199);
  StorePart(200, 299);
  origin_->SetScript(
      Answer("HTTP/1.1 304 Not Modified\r\nETag: \"v1\"\r\nCache-Control: max-age=60\r\n\r\n"));
  const TestResponse validated = FetchPart(150, 249, "If-Range: \"v1\"\r\n");
  EXPECT_EQ(Status(validated), "Perigee; fwd=stale; fwd-status=304");
  EXPECT_EQ(validated.status, 206);
  EXPECT_EQ(validated.body, Bytes(150, 249));
  for (const char* field :
       {"Range: bytes=150-249\r\n", "If-None-Match: \"v1\"\r\n", "If-Range: \"v1\"\r\n"}) {
    EXPECT_THAT(origin_->last_head(), HasSubstr(field));
  }
  ExpectHit(FetchPart(100, 299), 100, 299);
  EXPECT_EQ(origin_->requests(), 3);
}

TEST_F(PartsServerTest, NothingInA304MakesAPartAnother) {
  Start(Ranges({.fields = std::string(kAlwaysValidate)}));
  StorePart(100, 199);
  origin_->SetScript(
      Answer("HTTP/1.1 304 Not Modified\r\nETag: W/\"v1\"\r\nCache-Control: max-age=60\r\n"
             "Content-Type: multipart/byteranges; boundary=B\r\nContent-Range: bytes 0-1/2\r\n\r\n"));
  EXPECT_EQ(FetchPart(110, 119).body, Bytes(110, 119));
  ExpectHit(FetchPart(110, 119), 110, 119);
}

TEST_F(PartsServerTest, APartOfAnotherRepresentationEndsTheStaleOnes) {
  Start(Ranges({.fields = std::string(kAlwaysValidate)}));
  StorePart(100, 199);
  StorePart(200, 299);
  origin_->SetScript(Ranges({.fields = "Cache-Control: max-age=60\r\nETag: \"v2\"\r\n"}));
  EXPECT_EQ(Status(FetchPart(150, 249)), "Perigee; fwd=stale; fwd-status=206; stored");
  AwaitObjects(1);
  ExpectHit(FetchPart(150, 249), 150, 249);
  EXPECT_THAT(Status(FetchPart(100, 109)), HasSubstr("fwd=partial"));
}

TEST_F(PartsServerTest, AWholeTakesTheirPlaceAlsoWhenItAnswersARange) {
  Start(Ranges({.fields = std::string(kAlwaysValidate)}));
  StorePart(100, 199);
  StorePart(200, 299);
  origin_->SetScript(Answer(Ok("whole")));
  const TestResponse whole = FetchPart(100, 199);
  EXPECT_EQ(Status(whole), "Perigee; fwd=stale; fwd-status=200; stored");
  EXPECT_EQ(whole.body, "whole");
  AwaitObjects(1);
  EXPECT_EQ(Fetch("/film").body, "whole");
  EXPECT_EQ(Fetch("/film", "Range: bytes=1-2\r\n").body, "ho");
  EXPECT_EQ(origin_->requests(), 3);
}

TEST_F(PartsServerTest, StaleOnesStandInForAnOriginThatIsGone) {
  Start(Ranges({.fields = std::string(kAlwaysValidate)}));
  StorePart(100, 199);
  origin_->Stop();
  const TestResponse stale = FetchPart(100, 149);
  EXPECT_EQ(stale.status, 206);
  EXPECT_EQ(stale.body, Bytes(100, 149));
  EXPECT_THAT(Status(stale), HasSubstr("detail=connect"));
  EXPECT_EQ(FetchPart(100, 249).status, 502) << "there is nothing of it beyond";
}

TEST_F(PartsServerTest, AnswersAboutOneRangeOrConditionEndNothing) {
  Start(Ranges({.fields = std::string(kAlwaysValidate)}));
  StorePart(100, 199);
  for (const int status : {412, 416}) {
    origin_->SetScript(Answer(fmt::format("HTTP/1.1 {} x\r\nContent-Length: 0\r\n\r\n", status)));
    EXPECT_EQ(FetchPart(100, 149, "If-Match: \"v1\"\r\n").status, status);
    EXPECT_THAT(origin_->last_head(), HasSubstr("If-Match: \"v1\""));
  }
  EXPECT_EQ(cache_->Stats().objects, 1u);
  origin_->SetScript(Answer("HTTP/1.1 404 x\r\nContent-Length: 0\r\n\r\n"));
  EXPECT_EQ(FetchPart(100, 149).status, 404);
  EXPECT_EQ(cache_->Stats().objects, 0u) << "there is no such film any more";
}

TEST_F(PartsServerTest, AStaleWholeIsValidatedByARangeRequest) {
  limits_.max_object_bytes = kLength;
  Start(Ranges({.fields = std::string(kAlwaysValidate)}));
  Fetch("/film");
  AwaitObjects(1);
  origin_->SetScript(Answer("HTTP/1.1 304 Not Modified\r\nETag: \"v1\"\r\n\r\n"));
  const TestResponse validated = FetchPart(100, 199);
  EXPECT_EQ(Status(validated), "Perigee; fwd=stale; fwd-status=304");
  EXPECT_EQ(validated.body, Bytes(100, 199));
  origin_->SetScript(Ranges({.fields = "Cache-Control: max-age=60\r\nETag: \"v1\"\r\n"}));
  EXPECT_THAT(Status(FetchPart(100, 199)), HasSubstr("detail=whole"));
  EXPECT_EQ(cache_->Stats().objects, 1u) << "it is the same, though the origin did not say so";
  origin_->SetScript(Ranges({.fields = "Cache-Control: max-age=60\r\nETag: \"v2\"\r\n"}));
  EXPECT_THAT(Status(FetchPart(100, 199)), HasSubstr("fwd-status=206; stored"));
  AwaitObjects(1);
  EXPECT_LT(cache_->Stats().bytes, kLength);
}

TEST_F(PartsServerTest, UnsafeMethodsAndPurgesMeanThem) {
  Start(Ranges({.fields = "Cache-Control: max-age=60\r\nETag: \"v1\"\r\nSurrogate-Key: film\r\n"}));
  const auto purge = [&](const PurgeSelection& selection) {
    EXPECT_TRUE(server_->Purge(selection, PurgeKind::kHard).ok());
  };
  const std::function<void()> ends[] = {
      [&] { Ask(port(), "DELETE /film HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"); },
      [&] { purge({.keys = {server_->origin().base + "/film"}, .prefixes = {}, .tags = {}}); },
      [&] { purge({.keys = {}, .prefixes = {server_->origin().base + "/f"}, .tags = {}}); },
      [&] { purge({.keys = {}, .prefixes = {}, .tags = {"film"}}); },
      [&] { purge({.keys = {}, .prefixes = {""}, .tags = {}}); },
  };
  for (const auto& end : ends) {
    StorePart(100, 199);
    StorePart(300, 399);
    end();
    EXPECT_EQ(cache_->Stats().objects, 0u);
    EXPECT_THAT(Status(FetchPart(100, 199)), HasSubstr("fwd=uri-miss"));
    AwaitObjects(1);
    purge({.keys = {}, .prefixes = {""}, .tags = {}});
  }
}

TEST_F(PartsServerTest, WhatWasAskedForBeforeAChangeIsNotStoredAfterIt) {
  const Gate gate;
  Start([gate](const std::string& head, TestSocket& socket) {
    if (head.starts_with("DELETE")) return socket.Send("HTTP/1.1 204 x\r\n\r\n");
    const std::string part = PartOf({}, 0, 99);
    return socket.Send(part.substr(0, part.size() - 9)) && gate.Wait() &&
           socket.Send(part.substr(part.size() - 9));
  });
  TestSocket client = TestSocket::ConnectTo(port());
  client.Send(Get("/film", "Range: bytes=0-99\r\n"));
  const std::string head = client.ReadUntil("\r\n\r\n");
  EXPECT_THAT(head, HasSubstr("stored"));
  Ask(port(), "DELETE /film HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
  gate.Open();
  EXPECT_EQ(client.ReadBytes(100), Bytes(0, 99));
  origin_->SetScript(Ranges());
  EXPECT_THAT(Status(StorePart(0, 99)), HasSubstr("fwd=uri-miss"));
}

TEST_F(PartsServerTest, ASoftPurgeMakesThemStale) {
  Start(Ranges());
  StorePart(100, 199);
  EXPECT_TRUE(server_->Purge({.keys = {}, .prefixes = {""}, .tags = {}}, PurgeKind::kSoft).ok());
  origin_->SetScript(Answer("HTTP/1.1 304 Not Modified\r\nETag: \"v1\"\r\n\r\n"));
  EXPECT_EQ(Status(FetchPart(100, 149)), "Perigee; fwd=stale; fwd-status=304");
  ExpectHit(FetchPart(100, 149), 100, 149);
}

}  // namespace
}  // namespace perigee::replica
