// Purges through the whole HTTP side, on loopback: against what is stored and what is being fetched.
#include <atomic>
#include <filesystem>
#include <thread>

#include "services/replica/testing/server_fixture.h"

namespace perigee::replica {
namespace {

using namespace testing;

constexpr std::string_view kTagged = "Cache-Control: max-age=60\r\nSurrogate-Key: news front\r\n";

class ServerPurgeTest : public ServerTest {
 protected:
  std::string Key(std::string_view path) const { return server_->origin().base + std::string(path); }
  // One of each sort, all of which mean /a.
  std::vector<PurgeSelection> Selections() const {
    return {{.keys = {Key("/a")}}, {.prefixes = {Key("/")}}, {.tags = {"news"}}, {.prefixes = {""}}};
  }
  void Purge(const PurgeSelection& selection, PurgeKind kind = PurgeKind::kHard) {
    const auto purged = server_->Purge(selection, kind);
    EXPECT_TRUE(purged.ok()) << purged.status();
  }
};

// Sends `before`, waits for the gate, and sends `after`.
ScriptedOrigin::Script Gated(std::string before, Gate gate, std::string after) {
  return [=](const std::string&, TestSocket& socket) {
    return socket.Send(before) && gate.Wait() && socket.Send(after);
  };
}

TEST_F(ServerPurgeTest, WhatIsPurgedIsFetchedAgain) {
  Start(Answer(Ok("old", kTagged)));
  for (const PurgeSelection& selection : Selections()) {
    origin_->SetScript(Answer(Ok("old", kTagged)));
    EXPECT_EQ(Fetch("/a").body, "old");
    EXPECT_EQ(Fetch("/a").body, "old");
    origin_->SetScript(Answer(Ok("new", kTagged)));
    Purge(selection);
    EXPECT_EQ(Fetch("/a").body, "new");
    Purge(selection);
  }
}

TEST_F(ServerPurgeTest, TagsAreNotShownToClients) {
  Start(Answer(Ok("a", "Cache-Control: max-age=60\r\nSurrogate-Key: x\r\nCache-Tag: y\r\n")));
  for (const char* expected : {"fwd=uri-miss", "hit"}) {
    const TestResponse answer = Fetch("/a");
    EXPECT_THAT(answer.Field("Cache-Status"), HasSubstr(expected));
    EXPECT_EQ(answer.Field("Surrogate-Key"), "");
    EXPECT_EQ(answer.Field("Cache-Tag"), "");
  }
  EXPECT_EQ(server_->Purge({.tags = {"y"}}, PurgeKind::kHard).value(), 1u);
}

TEST_F(ServerPurgeTest, WhatHasTooManyTagsIsServedButNotStored) {
  std::string tags;
  for (int i = 0; i < 300; ++i) tags += fmt::format("t{} ", i);
  Start(Answer(Ok("a", fmt::format("Cache-Control: max-age=60\r\nSurrogate-Key: {}\r\n", tags))));
  EXPECT_EQ(Fetch("/a").Field("Cache-Status"), "Perigee; fwd=uri-miss; fwd-status=200; detail=bad-tags");
  Fetch("/a");
  EXPECT_EQ(origin_->requests(), 2);
}

TEST_F(ServerPurgeTest, AFetchBeforeItsHeadIsNeitherJoinedNorStored) {
  for (size_t i = 0; i < 4; ++i) {
    const Gate gate;
    Start(Gated("", gate, Ok("old", kTagged)));
    std::vector<TestSocket> early = SendMany(1, Get("/a"));
    Await(&ServerStats::misses, 1);
    while (origin_->requests() < 1) std::this_thread::yield();
    origin_->SetScript(Answer(Ok("new", kTagged)));
    Purge(Selections()[i]);
    EXPECT_EQ(Fetch("/a").body, "new") << i;
    gate.Open();
    EXPECT_EQ(ReadResponse(early[0]).body, "old") << "asked before the purge";
    const TestResponse later = Fetch("/a");
    EXPECT_EQ(later.body, "new") << i;
    EXPECT_THAT(later.Field("Cache-Status"), HasSubstr("hit"));
  }
}

TEST_F(ServerPurgeTest, AFetchInsideItsBodyIsNeitherJoinedNorStored) {
  const std::string whole = Ok("oldbody", kTagged);
  for (size_t i = 0; i < 4; ++i) {
    const Gate gate;
    Start(Gated(whole.substr(0, whole.size() - 4), gate, "body"));
    std::vector<TestSocket> early = SendMany(1, Get("/a"));
    EXPECT_THAT(early[0].ReadUntil("old"), HasSubstr("200 OK"));
    origin_->SetScript(Answer(Ok("new", kTagged)));
    Purge(Selections()[i]);
    EXPECT_EQ(Fetch("/a").body, "new") << i;
    gate.Open();
    EXPECT_EQ(early[0].ReadBytes(4), "body");
    EXPECT_EQ(Fetch("/a").body, "new") << i;
  }
}

TEST_F(ServerPurgeTest, AFetchThatNobodyCanJoinIsNotStoredEither) {
  const Gate gate;
  Start(Gated("", gate, Ok("old", kTagged)));
  std::vector<TestSocket> early = SendMany(1, Get("/a", "Cache-Control: no-cache\r\n"));
  while (origin_->requests() < 1) std::this_thread::yield();
  origin_->SetScript(Answer(Ok("new", kTagged)));
  Purge({.tags = {"news"}});
  gate.Open();
  EXPECT_EQ(ReadResponse(early[0]).body, "old");
  EXPECT_EQ(Fetch("/a").body, "new");
}

TEST_F(ServerPurgeTest, AnotherTagsFetchGoesOn) {
  const std::string whole = Ok("body", kTagged);
  const Gate gate;
  Start(Gated(whole.substr(0, whole.size() - 4), gate, "body"));
  std::vector<TestSocket> early = SendMany(1, Get("/a"));
  early[0].ReadUntil("\r\n\r\n");
  Purge({.keys = {Key("/b")}, .prefixes = {Key("/a/")}, .tags = {"sport"}});
  std::vector<TestSocket> late = SendMany(1, Get("/a"));
  Await(&ServerStats::collapsed, 1);
  gate.Open();
  EXPECT_EQ(early[0].ReadBytes(4), "body");
  EXPECT_EQ(ReadResponse(late[0]).body, "body");
  EXPECT_THAT(Fetch("/a").Field("Cache-Status"), HasSubstr("hit"));
  EXPECT_EQ(origin_->requests(), 1);
}

TEST_F(ServerPurgeTest, AfterASoftPurgeTheOriginIsAskedAndAStoredCopyServesWhenItIsGone) {
  Start(Answer(Ok("v1", "Cache-Control: max-age=60\r\nETag: \"1\"\r\nCache-Tag: t\r\n")));
  Fetch("/a");
  Purge({.tags = {"t"}}, PurgeKind::kSoft);
  origin_->SetScript(Answer("HTTP/1.1 304 Not Modified\r\nETag: \"1\"\r\n\r\n"));
  EXPECT_THAT(Fetch("/a").Field("Cache-Status"), HasSubstr("fwd=stale; fwd-status=304"));
  EXPECT_THAT(Fetch("/a").Field("Cache-Status"), HasSubstr("hit")) << "validated, so fresh again";
  Purge({.tags = {"t"}}, PurgeKind::kSoft);
  origin_->Stop();
  const TestResponse stale = Fetch("/a");
  EXPECT_EQ(stale.body, "v1");
  EXPECT_THAT(stale.Field("Cache-Status"), HasSubstr("fwd=stale"));
  Purge({.tags = {"t"}}, PurgeKind::kHard);
  EXPECT_EQ(Fetch("/a").status, 502);
}

TEST_F(ServerPurgeTest, AValidationBeforeASoftPurgeDoesNotMakeFreshAgain) {
  Start(Answer(Ok("v1", "Cache-Control: max-age=60\r\nETag: \"1\"\r\nCache-Tag: t\r\n")));
  Fetch("/a");
  const Gate gate;
  origin_->SetScript(Gated("", gate, "HTTP/1.1 304 Not Modified\r\nETag: \"1\"\r\n\r\n"));
  std::vector<TestSocket> early = SendMany(1, Get("/a", "Cache-Control: no-cache\r\n"));
  while (origin_->requests() < 2) std::this_thread::yield();
  Purge({.tags = {"t"}}, PurgeKind::kSoft);
  gate.Open();
  EXPECT_EQ(ReadResponse(early[0]).body, "v1");
  origin_->SetScript(Answer(Ok("v2", "Cache-Control: max-age=60\r\n")));
  EXPECT_EQ(Fetch("/a").body, "v2");
}

TEST_F(ServerPurgeTest, WithTheDiskOutItSaysSoAndHoldsInMemory) {
  cache_options_.path = "/nonexistent/cache.sqlite";
  Start(Answer(Ok("old", kTagged)));
  Fetch("/a");
  const absl::Status status = server_->Purge({.prefixes = {""}}, PurgeKind::kHard).status();
  EXPECT_TRUE(absl::IsUnavailable(status)) << status;
  EXPECT_THAT(std::string(status.message()), HasSubstr("until a restart only"));
  origin_->SetScript(Answer(Ok("new", kTagged)));
  EXPECT_EQ(Fetch("/a").body, "new");
}

TEST_F(ServerPurgeTest, SendingAwayEndsConnectionsAfterTheirAnswersAndRefusesNobody) {
  threads_ = 1;
  Start(Answer(Ok("a")));
  TestSocket client = TestSocket::ConnectTo(port());
  const std::string request = "GET /a HTTP/1.1\r\nHost: a\r\n\r\n";
  client.Send(request);
  EXPECT_EQ(ReadResponse(client).Field("Connection"), "");
  server_->SendAway(true);
  client.Send(request);
  EXPECT_EQ(ReadResponse(client).Field("Connection"), "close");
  EXPECT_TRUE(client.AtEnd());
  TestSocket another = TestSocket::ConnectTo(port());
  server_->SendAway(false);
  another.Send(request);
  EXPECT_EQ(ReadResponse(another).Field("Connection"), "");
}

// The origin's version only grows. Whoever asks after a purge has returned must not get an older version than
// the origin had when the purge was called, however many fetches and hits are under way.
TEST_F(ServerPurgeTest, NothingOldIsServedAfterAPurgeUnderLoad) {
  std::atomic<int> version{1};
  std::atomic<int> purged{1};
  std::atomic<bool> stop{false};
  std::atomic<int> old{0};
  std::atomic<int> answers{0};
  Start([&](const std::string&, TestSocket& socket) {
    const std::string body = std::to_string(version);
    std::this_thread::yield();  // what was read may be out of date when it leaves
    return socket.Send(Ok(body, kTagged));
  });
  std::vector<std::thread> clients;
  for (int i = 0; i < 4; ++i) {
    clients.emplace_back([&] {
      TestSocket client = TestSocket::ConnectTo(port());
      while (!stop) {
        const int at_least = purged;
        client.Send("GET /a HTTP/1.1\r\nHost: a\r\n\r\n");
        const TestResponse answer = ReadResponse(client);
        if (answer.status != 200) break;
        ++answers;
        if (std::stoi(answer.body) < at_least) ++old;
      }
    });
  }
  const std::vector<PurgeSelection> selections = Selections();
  for (int next = 2; next < 300 || answers < 500; ++next) {
    version = next;
    Purge(selections[static_cast<size_t>(next) % 4], next % 3 == 0 ? PurgeKind::kSoft : PurgeKind::kHard);
    purged = next;
    std::this_thread::yield();
  }
  stop = true;
  for (std::thread& client : clients) client.join();
  EXPECT_EQ(old, 0);
  origin_->Stop();
}

}  // namespace
}  // namespace perigee::replica
