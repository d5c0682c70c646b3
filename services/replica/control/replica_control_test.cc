// Purge, Warm and Drain over a real control port, before a real server on loopback.
#include <future>
#include <map>
#include <optional>

#include "lib/rpc/control.h"
#include "lib/rpc/health_probe.h"
#include "services/replica/control/replica_service.h"
#include "services/replica/testing/server_fixture.h"

namespace perigee::replica {
namespace {

using namespace testing;

constexpr std::string_view kTagged = "Cache-Control: max-age=60\r\nCache-Tag: news\r\n";

class ReplicaControlTest : public ServerTest {
 protected:
  void StartAll(ScriptedOrigin::Script script) {
    Start(std::move(script));
    service_.emplace(*server_, *cache_, clock_);
    control_ = *ControlServer::Start(*IpEndpoint::Parse("127.0.0.1:0"), {}, {&*service_});
    service_->TellHealth([this](bool serving) { control_->SetServing("", serving); });
    const IpEndpoint peer{*IpAddress::Parse("127.0.0.1"), static_cast<uint16_t>(control_->port())};
    channel_ = ControlChannel(peer, CallerCredentials::PlainText());
    stub_ = v1::Replica::NewStub(channel_);
  }
  ~ReplicaControlTest() override {
    if (service_) service_->EndStreams();
    control_.reset();
    service_.reset();
  }

  static void SetDeadline(grpc::ClientContext& context) {
    context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(10));
  }
  grpc::Status Purge(const v1::PurgeRequest& request, uint64_t* objects = nullptr) {
    grpc::ClientContext context;
    SetDeadline(context);
    v1::PurgeResponse response;
    const grpc::Status status = stub_->Purge(&context, request, &response);
    if (objects) *objects = response.objects();
    return status;
  }
  grpc::Status Warm(const v1::WarmRequest& request,
                    std::map<std::string, v1::WarmResult>* results = nullptr) {
    grpc::ClientContext context;
    SetDeadline(context);
    const auto reader = stub_->Warm(&context, request);
    v1::WarmResult result;
    while (reader->Read(&result)) {
      if (results) (*results)[result.url()] = result;
    }
    return reader->Finish();
  }
  v1::DrainResponse Drain(bool resume) {
    grpc::ClientContext context;
    SetDeadline(context);
    v1::DrainRequest request;
    request.set_resume(resume);
    v1::DrainResponse response;
    EXPECT_TRUE(stub_->Drain(&context, request, &response).ok());
    return response;
  }
  bool IsServing() {
    HealthProbe probe(channel_);
    std::promise<HealthReport> report;
    probe.Check(std::chrono::seconds(5), [&](HealthReport got) { report.set_value(got); });
    return report.get_future().get().serving;
  }

  std::optional<ReplicaService> service_;
  std::unique_ptr<ControlServer> control_;
  std::shared_ptr<grpc::Channel> channel_;
  std::unique_ptr<v1::Replica::Stub> stub_;
};

TEST_F(ReplicaControlTest, PurgesByUrlPrefixTagAndEverything) {
  StartAll(Answer(Ok("a", kTagged)));
  const auto purge = [&](const std::function<void(v1::PurgeRequest&)>& name) {
    Fetch("/img/a");
    Fetch("/b");
    v1::PurgeRequest request;
    name(request);
    uint64_t objects = 0;
    EXPECT_TRUE(Purge(request, &objects).ok());
    return objects;
  };
  EXPECT_EQ(purge([](auto& r) { r.add_urls("http://cdn.example.org/b"); }), 1u);
  EXPECT_EQ(purge([](auto& r) { r.add_prefixes("/img/"); }), 1u);
  EXPECT_EQ(purge([](auto& r) { r.add_tags("news"); }), 2u);
  EXPECT_EQ(purge([](auto& r) { r.set_everything(true); }), 2u);
  EXPECT_EQ(purge([](auto& r) {
              r.add_urls("/b");
              r.set_soft(true);
            }),
            1u);
  EXPECT_THAT(Fetch("/b").Field("Cache-Status"), HasSubstr("fwd=stale"));
}

TEST_F(ReplicaControlTest, APurgeThatCannotBeIsRefused) {
  StartAll(Answer(Ok("a")));
  const grpc::Status status = Purge({});
  EXPECT_EQ(status.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_THAT(status.error_message(), HasSubstr("nothing to purge"));
}

TEST_F(ReplicaControlTest, APurgeWithTheDiskOutSaysSo) {
  cache_options_.path = "/nonexistent/cache.sqlite";
  StartAll(Answer(Ok("a")));
  v1::PurgeRequest request;
  request.set_everything(true);
  EXPECT_EQ(Purge(request).error_code(), grpc::StatusCode::UNAVAILABLE);
}

TEST_F(ReplicaControlTest, WarmingReportsEachUrlAndWhatBecameOfIt) {
  StartAll([](const std::string& head, TestSocket& socket) {
    if (head.starts_with("GET /private")) return socket.Send(Ok("p", kPrivate));
    if (head.starts_with("GET /broken")) return socket.Send("HTTP/1.1 503 No\r\nContent-Length: 0\r\n\r\n");
    if (head.starts_with("GET /stale")) return socket.Send(Ok("s", kAlwaysValidate));
    if (head.starts_with("GET /cut")) {
      socket.Send("HTTP/1.1 200 OK\r\nCache-Control: max-age=60\r\nContent-Length: 9\r\n\r\nab");
      return false;
    }
    return socket.Send(Ok("hello"));
  });
  Fetch("/hit");
  v1::WarmRequest request;
  for (const char* url : {"/new", "http://cdn.example.org/new2", "/hit", "/private", "/broken", "/cut"}) {
    request.add_urls(url);
  }
  std::map<std::string, v1::WarmResult> results;
  ASSERT_TRUE(Warm(request, &results).ok());
  EXPECT_EQ(results.size(), 6u);
  EXPECT_EQ(results["/new"].outcome(), v1::WARM_OUTCOME_STORED);
  EXPECT_EQ(results["/new"].status(), 200u);
  EXPECT_EQ(results["/new"].bytes(), 5u);
  EXPECT_THAT(results["/new"].detail(), HasSubstr("fwd=uri-miss"));
  EXPECT_EQ(results["http://cdn.example.org/new2"].outcome(), v1::WARM_OUTCOME_STORED);
  EXPECT_EQ(results["/hit"].outcome(), v1::WARM_OUTCOME_HIT);
  EXPECT_EQ(results["/private"].outcome(), v1::WARM_OUTCOME_NOT_STORED);
  EXPECT_EQ(results["/broken"].outcome(), v1::WARM_OUTCOME_FAILED);
  EXPECT_EQ(results["/cut"].outcome(), v1::WARM_OUTCOME_FAILED);
  EXPECT_EQ(results["/cut"].detail(), "cut-short");
  for (const char* path : {"/new", "/new2"}) {
    EXPECT_THAT(Fetch(path).Field("Cache-Status"), HasSubstr("hit"));
  }
}

TEST_F(ReplicaControlTest, WarmingFetchesNoMoreAtATimeThanAsked) {
  std::atomic<int> now{0};
  std::atomic<int> most{0};
  const Gate gate;
  StartAll([&, gate](const std::string&, TestSocket& socket) {
    const int mine = ++now;
    int seen = most;
    while (seen < mine && !most.compare_exchange_weak(seen, mine)) {
    }
    if (mine == 3) gate.Open();  // until then they wait for each other, and a fourth would come
    const bool opened = gate.Wait();
    --now;
    return opened && socket.Send(Ok("x"));
  });
  v1::WarmRequest request;
  request.set_concurrency(3);
  for (int i = 0; i < 60; ++i) request.add_urls(fmt::format("/{}", i));
  std::map<std::string, v1::WarmResult> results;
  ASSERT_TRUE(Warm(request, &results).ok());
  EXPECT_EQ(results.size(), 60u);
  EXPECT_LE(most, 3);
  EXPECT_EQ(cache_->Stats().objects, 60u);
  origin_->Stop();
}

TEST_F(ReplicaControlTest, WarmingHasALimitOfCallsAndStopsWhenCancelledOrTheServerStops) {
  const Gate gate;
  StartAll([gate](const std::string&, TestSocket& socket) { return gate.Wait() && socket.Send(Ok("x")); });
  v1::WarmRequest request;
  request.add_urls("/a");
  std::vector<std::unique_ptr<grpc::ClientContext>> contexts;
  std::vector<std::unique_ptr<grpc::ClientReader<v1::WarmResult>>> readers;
  for (size_t i = 0; i < kMaxWarmCalls; ++i) {
    contexts.push_back(std::make_unique<grpc::ClientContext>());
    SetDeadline(*contexts.back());
    readers.push_back(stub_->Warm(contexts.back().get(), request));
  }
  Await(&ServerStats::connections, kMaxWarmCalls);
  EXPECT_EQ(Warm(request).error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED);
  contexts[0]->TryCancel();
  EXPECT_EQ(readers[0]->Finish().error_code(), grpc::StatusCode::CANCELLED);
  service_->EndStreams();
  EXPECT_EQ(readers[1]->Finish().error_code(), grpc::StatusCode::UNAVAILABLE);
  EXPECT_EQ(Warm(request).error_code(), grpc::StatusCode::UNAVAILABLE);
  gate.Open();
}

TEST_F(ReplicaControlTest, WarmingAsksForNamesThatAreServed) {
  more_.served_names = *ServedNames::Parse({"cdn.example.org"});
  StartAll(Answer(Ok("x")));
  v1::WarmRequest request;
  for (const char* url : {"/a", "https://CDN.example.org/b", "http://other.example/c"}) request.add_urls(url);
  std::map<std::string, v1::WarmResult> results;
  ASSERT_TRUE(Warm(request, &results).ok());
  EXPECT_EQ(results["/a"].outcome(), v1::WARM_OUTCOME_STORED);
  EXPECT_EQ(results["https://CDN.example.org/b"].outcome(), v1::WARM_OUTCOME_STORED);
  EXPECT_EQ(results["http://other.example/c"].outcome(), v1::WARM_OUTCOME_FAILED);
  EXPECT_EQ(results["http://other.example/c"].status(), 421u);
}

TEST_F(ReplicaControlTest, AWarmRequestThatCannotBeIsRefused) {
  StartAll(Answer(Ok("a")));
  EXPECT_EQ(Warm({}).error_code(), grpc::StatusCode::INVALID_ARGUMENT);
}

TEST_F(ReplicaControlTest, ADrainedReplicaTellsItsHealthSendsClientsAwayAndServesThem) {
  threads_ = 1;
  StartAll(Answer(Ok("a")));
  EXPECT_TRUE(IsServing());
  EXPECT_FALSE(Drain(false).was_drained());
  EXPECT_FALSE(IsServing());
  const std::string request = "GET /a HTTP/1.1\r\nHost: a\r\n\r\n";
  const TestResponse answer = Ask(port(), request);
  EXPECT_EQ(answer.body, "a");
  EXPECT_EQ(answer.Field("Connection"), "close");
  EXPECT_TRUE(Drain(true).was_drained());
  EXPECT_TRUE(IsServing());
  EXPECT_EQ(Ask(port(), request).Field("Connection"), "");
}

TEST(OutcomeOf, ReadsCacheStatus) {
  EXPECT_EQ(OutcomeOf(200, "Perigee; hit; ttl=3"), v1::WARM_OUTCOME_HIT);
  EXPECT_EQ(OutcomeOf(404, "Perigee; fwd=uri-miss; fwd-status=404; stored"), v1::WARM_OUTCOME_STORED);
  EXPECT_EQ(OutcomeOf(200, "Perigee; fwd=stale; fwd-status=304"), v1::WARM_OUTCOME_REVALIDATED);
  EXPECT_EQ(OutcomeOf(200, "Perigee; fwd=uri-miss; collapsed"), v1::WARM_OUTCOME_JOINED);
  EXPECT_EQ(OutcomeOf(200, "Perigee; fwd=uri-miss; fwd-status=200; detail=private"),
            v1::WARM_OUTCOME_NOT_STORED);
  EXPECT_EQ(OutcomeOf(421, "Perigee; fwd=bypass; detail=rejected"), v1::WARM_OUTCOME_FAILED);
  EXPECT_EQ(OutcomeOf(502, "Perigee; fwd=uri-miss; detail=connect"), v1::WARM_OUTCOME_FAILED);
}

}  // namespace
}  // namespace perigee::replica
