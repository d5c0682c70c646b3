#include "services/dns/measurement/prober_client.h"

#include <atomic>
#include <future>

#include "gmock/gmock.h"
#include "lib/rpc/control.h"

namespace perigee::dns {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

const IpAddress kClient = *IpAddress::Parse("198.18.7.7");

TEST(ReadMeasureResponse, WhatContradictsItselfIsABareSample) {
  struct Case {
    const char* what;
    int method;
    uint32_t min_rtt_us;
    Sample expected;
  };
  const Sample bare{};
  const Case cases[] = {
      {"an echo", v1::METHOD_ICMP_ECHO, 12'000, {Rtt(12'000), Method::kIcmpEcho}},
      {"a SYN", v1::METHOD_TCP_SYN, 12'000, {Rtt(12'000), Method::kTcpSyn}},
      {"a last hop", v1::METHOD_LAST_HOP, 12'000, {Rtt(12'000), Method::kLastHop}},
      {"a UDP port", v1::METHOD_UDP_PORT, 12'000, {Rtt(12'000), Method::kUdpPort}},
      {"a last hop without a time", v1::METHOD_LAST_HOP, 0, bare},
      {"as long as the deadline", v1::METHOD_TCP_SYN, 3'000'000, {Rtt(3'000'000), Method::kTcpSyn}},
      {"longer than the deadline", v1::METHOD_TCP_SYN, 3'000'001, bare},
      {"the longest there is", v1::METHOD_ICMP_ECHO, UINT32_MAX, bare},
      {"an echo without a time", v1::METHOD_ICMP_ECHO, 0, bare},
      {"silence", v1::METHOD_SILENT, 0, {Rtt::zero(), Method::kSilent}},
      {"silence with a time", v1::METHOD_SILENT, 12'000, {Rtt::zero(), Method::kSilent}},
      {"no method", v1::METHOD_UNSPECIFIED, 12'000, bare},
      {"a method that is none", 99, 12'000, bare},
      {"a method that is one only in eight bits", 257, 12'000, bare},
      {"a negative method", -1, 12'000, bare},
  };
  for (const Case& c : cases) {
    v1::MeasureResponse response;
    response.set_method(static_cast<v1::Method>(c.method));
    response.set_min_rtt_us(c.min_rtt_us);
    const Sample sample = ReadMeasureResponse(response, seconds(3));
    EXPECT_EQ(sample.method, c.expected.method) << c.what;
    EXPECT_EQ(sample.rtt, c.expected.rtt) << c.what;
  }
}

// Answers 10 ms when it is told to answer; else it holds every call until the caller gives up.
class FakeProber final : public v1::Prober::CallbackService {
 public:
  grpc::ServerUnaryReactor* Measure(grpc::CallbackServerContext* context, const v1::MeasureRequest* request,
                                    v1::MeasureResponse* response) override {
    request_.set_value(*request);
    if (!answers) return new HeldCall;
    response->set_method(v1::METHOD_ICMP_ECHO);
    response->set_min_rtt_us(10'000);
    auto* reactor = context->DefaultReactor();
    reactor->Finish(grpc::Status::OK);
    return reactor;
  }
  // Waits for the one call.
  v1::MeasureRequest Request() { return request_.get_future().get(); }

  bool answers = false;

 private:
  struct HeldCall : grpc::ServerUnaryReactor {
    void OnCancel() override { Finish(grpc::Status::CANCELLED); }
    void OnDone() override { delete this; }
  };
  std::promise<v1::MeasureRequest> request_;
};

class ProberClientTest : public testing::Test {
 protected:
  ProberClientTest() {
    server_ = *ControlServer::Start(*IpEndpoint::Parse("127.0.0.1:0"), {}, {&prober_});
    const IpEndpoint peer{*IpAddress::Parse("127.0.0.1"), static_cast<uint16_t>(server_->port())};
    const std::shared_ptr<grpc::Channel> channels[] = {ControlChannel(peer, CallerCredentials::PlainText())};
    client_.emplace(channels);
  }

  void Measure(milliseconds deadline) {
    client_->Measure(ToReplicaId(0), {.address = kClient, .probes = 2, .tcp_ports = {443}}, deadline,
                     [this](const Sample& sample) {
                       ++done_;
                       sample_.set_value(sample);
                     });
  }

  FakeProber prober_;
  std::unique_ptr<ControlServer> server_;
  std::atomic<int> done_{0};
  std::promise<Sample> sample_;
  std::optional<ProberClient> client_;
};

TEST_F(ProberClientTest, AsksWhatItWasToldToAndReadsTheAnswer) {
  prober_.answers = true;
  Measure(seconds(5));
  const v1::MeasureRequest request = prober_.Request();
  EXPECT_EQ(request.address(), "198.18.7.7");
  EXPECT_EQ(request.probes(), 2u);
  EXPECT_THAT(request.tcp_ports(), testing::ElementsAre(443u));
  const Sample sample = sample_.get_future().get();
  EXPECT_EQ(sample.method, Method::kIcmpEcho);
  EXPECT_EQ(sample.rtt, milliseconds(10));
}

TEST_F(ProberClientTest, AProberThatNeverAnswersIsABareSampleAtTheDeadline) {
  const auto begin = std::chrono::steady_clock::now();
  Measure(milliseconds(150));
  prober_.Request();
  auto answer = sample_.get_future();
  ASSERT_EQ(answer.wait_for(seconds(5)), std::future_status::ready);
  const Sample sample = answer.get();
  const auto elapsed = std::chrono::steady_clock::now() - begin;
  EXPECT_EQ(sample.method, Method::kUnknown);
  EXPECT_EQ(sample.rtt, Rtt::zero());
  EXPECT_GE(elapsed, milliseconds(140)) << "gRPC counts in whole milliseconds";
  EXPECT_LT(elapsed, seconds(2));
}

TEST_F(ProberClientTest, DestructionCancelsWhatIsUnderWayAndRunsItsDone) {
  const auto begin = std::chrono::steady_clock::now();
  Measure(seconds(60));
  prober_.Request();
  EXPECT_EQ(done_, 0);
  client_.reset();
  EXPECT_EQ(done_, 1);
  EXPECT_EQ(sample_.get_future().get().method, Method::kUnknown);
  EXPECT_LT(std::chrono::steady_clock::now() - begin, seconds(2));
}

TEST_F(ProberClientTest, StoppingCancelsWhatIsUnderWayAndNothingIsSentFromThenOn) {
  Measure(seconds(60));
  prober_.Request();
  client_->Stop();
  EXPECT_EQ(done_, 1);
  EXPECT_EQ(sample_.get_future().get().method, Method::kUnknown);
  Sample late{milliseconds(1), Method::kIcmpEcho};
  client_->Measure(ToReplicaId(0), {.address = kClient}, seconds(60), [&](const Sample& s) { late = s; });
  EXPECT_EQ(late.method, Method::kUnknown) << "at once, for nobody else would call";
}

TEST_F(ProberClientTest, AProberThatIsGoneIsABareSample) {
  server_.reset();
  Measure(milliseconds(500));
  EXPECT_EQ(sample_.get_future().get().method, Method::kUnknown);
}

}  // namespace
}  // namespace perigee::dns
