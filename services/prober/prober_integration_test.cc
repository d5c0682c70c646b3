// The prober as it is deployed: the real program and the real scamper, between network namespaces. Needs
// root.
#include <grpcpp/generic/generic_stub.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <future>
#include <string_view>

#include "fmt/format.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "services/prober/testing_prober.h"
#include "services/prober/testing_world.h"

namespace perigee {
namespace {

using testing::HasSubstr;

TEST_F(ProberTest, AnIcmpEchoAnswers) {
  const auto [status, response] = Measure(World(kPinging, 1));
  ASSERT_TRUE(status.ok()) << status.error_message();
  EXPECT_EQ(response.method(), v1::METHOD_ICMP_ECHO);
  ASSERT_EQ(response.rtt_us_size(), 1);
  EXPECT_EQ(response.min_rtt_us(), response.rtt_us(0));
  EXPECT_GT(response.min_rtt_us(), 0u);
  EXPECT_LT(response.min_rtt_us(), 20'000u);
  EXPECT_EQ(response.sent(), 1u);
  EXPECT_EQ(response.lost(), 0u);
}

TEST_F(ProberTest, AnIcmpEchoAnswersOverIPv6) {
  const auto [status, response] = Measure(kPingingV6);
  ASSERT_TRUE(status.ok()) << status.error_message();
  EXPECT_EQ(response.method(), v1::METHOD_ICMP_ECHO);
}

TEST_F(ProberTest, SeveralProbesGiveSeveralSamples) {
  const auto [status, response] = Measure(World(kPinging, 2), 3);
  ASSERT_TRUE(status.ok()) << status.error_message();
  EXPECT_EQ(response.method(), v1::METHOD_ICMP_ECHO) << "although TCP answered before the third echo";
  EXPECT_EQ(response.rtt_us_size(), 3);
  EXPECT_EQ(response.sent(), 3u);
  EXPECT_EQ(response.min_rtt_us(), *std::min_element(response.rtt_us().begin(), response.rtt_us().end()));
}

TEST_F(ProberTest, ARefusedConnectionAnswersForAClientThatIgnoresPings) {
  auto call = Start(kMute, 0, {}, {53, 80});
  ASSERT_TRUE(call->status.get_future().get().ok());
  EXPECT_EQ(call->response.method(), v1::METHOD_TCP_SYN);
  EXPECT_GT(call->response.min_rtt_us(), 0u);
  EXPECT_LT(call->response.min_rtt_us(), 55'000u) << "measured from the rung's own start";
  EXPECT_GE(call->took(), milliseconds(55)) << "ICMP is alone at first";
  EXPECT_LT(call->took(), kSilentAfter);
}

TEST_F(ProberTest, AnOpenPortAnswersToo) {
  const auto [status, response] = Measure(kMute, 0, {}, {kMuteOpenPort});
  ASSERT_TRUE(status.ok()) << status.error_message();
  EXPECT_EQ(response.method(), v1::METHOD_TCP_SYN);
  EXPECT_LT(response.min_rtt_us(), 20'000u);
}

TEST_F(ProberTest, SeveralProbesToAClientThatIgnoresPingsEndInTcp) {
  auto call = Start(kMute, 2);
  ASSERT_TRUE(call->status.get_future().get().ok());
  EXPECT_EQ(call->response.method(), v1::METHOD_TCP_SYN);
  EXPECT_EQ(call->response.rtt_us_size(), 3) << "every port's answer is a sample";
}

TEST_F(ProberTest, ASilentClientIsReportedWhenSilentAfterHasPassed) {
  auto call = Start(World(kDark, 1));
  ASSERT_TRUE(call->status.get_future().get().ok());
  EXPECT_EQ(call->response.method(), v1::METHOD_SILENT);
  EXPECT_EQ(call->response.rtt_us_size(), 0);
  EXPECT_EQ(call->response.sent(), kSilentPackets) << "one echo, three ports, and for the last hop";
  EXPECT_EQ(call->response.lost(), kSilentPackets);
  EXPECT_GE(call->took(), kSilentAfter);
  EXPECT_LT(call->took(), kSilentAfter + milliseconds(500));
}

TEST_F(ProberTest, TheLastHopThatAnswersIsAFloorForAClientThatDoesNot) {
  const long before = PacketsSent();
  auto call = Start(World(kHidden, 1));
  ASSERT_TRUE(call->status.get_future().get().ok());
  EXPECT_EQ(call->response.method(), v1::METHOD_LAST_HOP);
  EXPECT_EQ(call->response.hop(), kLastRouter);
  EXPECT_GT(call->response.min_rtt_us(), 0u);
  EXPECT_LT(call->response.min_rtt_us(), 20'000u);
  EXPECT_EQ(call->response.sent(), kFirstHopProbes + 2) << "those behind the second hop too";
  EXPECT_EQ(PacketsSent() - before, kSilentPackets + 2);
  EXPECT_GE(call->took(), milliseconds(120) + kHopPatience);
  EXPECT_LT(call->took(), kSilentAfter + milliseconds(100));
}

TEST_F(ProberTest, AKnownLastHopIsLookedForSoonByFewPackets) {
  ASSERT_EQ(Measure(World(kHidden, 1)).second.method(), v1::METHOD_LAST_HOP);
  const long before = PacketsSent();
  auto call = Start(World(kHidden, 2));
  ASSERT_TRUE(call->status.get_future().get().ok());
  EXPECT_EQ(call->response.method(), v1::METHOD_LAST_HOP);
  EXPECT_EQ(PacketsSent() - before, 1 + 3 + 3) << "the second hop, and those beside it";
  EXPECT_LT(call->took(), milliseconds(120) + kHopPatience);
}

TEST_F(ProberTest, AClientThatIgnoresPingsAndTcpMayAnswerADatagram) {
  auto call = Start(kMute, 0, {}, {kMuteDeafPort});
  ASSERT_TRUE(call->status.get_future().get().ok());
  EXPECT_EQ(call->response.method(), v1::METHOD_UDP_PORT);
  EXPECT_LT(call->response.min_rtt_us(), 20'000u);
}

TEST_F(ProberTest, WithoutABudgetForItTheLastHopIsNotLookedFor) {
  prober_.reset();
  std::ofstream(fleet_)
      << "probe_policy { allow_special: \"198.18.0.0/15\" max_probes_per_prefix_per_second: 1 }";
  StartProber();
  const long before = PacketsSent();
  Measure(World(kHidden, 1), 0, milliseconds(180));  // over before its last hop is looked for
  EXPECT_EQ(PacketsSent() - before, 1 + 3) << "of the burst of 14";
  EXPECT_EQ(Measure(World(kHidden, 2)).second.method(), v1::METHOD_SILENT);
  EXPECT_EQ(PacketsSent() - before, 2 * (1 + 3));
}

TEST_F(ProberTest, ASilentClientIsReportedBeforeAnEarlierDeadline) {
  auto call = Start(World(kDark, 2), 0, milliseconds(200));
  const auto status = call->status.get_future().get();
  ASSERT_TRUE(status.ok()) << status.error_message();
  EXPECT_EQ(call->response.method(), v1::METHOD_SILENT);
}

TEST_F(ProberTest, AnAddressWithoutARouteIsSilentAtOnce) {
  prober_.reset();
  std::ofstream(fleet_) << "probe_policy { allow_special: \"198.51.100.0/24\" }";
  StartProber();
  auto call = Start(kNoRoute);
  ASSERT_TRUE(call->status.get_future().get().ok());
  EXPECT_EQ(call->response.method(), v1::METHOD_SILENT);
  EXPECT_LT(call->took(), kSilentAfter);
}

TEST_F(ProberTest, FiftyMeasurementsDoNotWaitForASilentOne) {
  auto silent = Start(World(kDark, 3));
  std::vector<std::unique_ptr<Call>> calls;
  for (int i = 1; i <= 49; ++i) calls.push_back(Start(World(kPinging, i)));
  for (auto& call : calls) {
    ASSERT_TRUE(call->status.get_future().get().ok());
    EXPECT_EQ(call->response.method(), v1::METHOD_ICMP_ECHO) << call->request.address();
    EXPECT_LT(call->took(), kSilentAfter) << call->request.address();
  }
  auto status = silent->status.get_future();
  EXPECT_EQ(status.wait_for(milliseconds(0)), std::future_status::timeout);
  EXPECT_TRUE(status.get().ok());
}

TEST_F(ProberTest, CallsForOneTargetShareItsPackets) {
  const long before = PacketsSent();
  std::vector<std::unique_ptr<Call>> calls;
  for (int i = 0; i < 20; ++i) calls.push_back(Start(World(kDark, 4)));
  for (auto& call : calls) {
    ASSERT_TRUE(call->status.get_future().get().ok());
    EXPECT_EQ(call->response.method(), v1::METHOD_SILENT);
    EXPECT_LT(call->took(), kSilentAfter + milliseconds(500));
  }
  EXPECT_EQ(PacketsSent() - before, kSilentPackets);
}

TEST_F(ProberTest, CancellingStopsTheProbing) {
  const long before = PacketsSent();
  auto cancelled = Start(World(kDark, 5));
  ASSERT_TRUE(Eventually([&] { return PacketsSent() == before + 1; }));
  cancelled->context.TryCancel();
  EXPECT_EQ(cancelled->status.get_future().get().error_code(), grpc::StatusCode::CANCELLED);
  auto again = Start(World(kDark, 5), 2);  // a flight of its own, yet the same destination to scamper
  ASSERT_TRUE(again->status.get_future().get().ok());
  EXPECT_EQ(PacketsSent() - before, 1 + (1 + kSilentPackets))
      << "scamper was not held by the cancelled task, and the cancelled call's TCP rung did not start";
}

TEST_F(ProberTest, ARefusedAddressGetsNoPacket) {
  const long before = PacketsSent();
  for (const std::string address : {"10.0.0.1", "127.0.0.1", "169.254.169.254", "::1", "fe80::1", "224.0.0.1",
                                    "::ffff:198.18.1.1", "198.18.1.60", "198.18.0.1"}) {
    EXPECT_EQ(Measure(address).first.error_code(), grpc::StatusCode::PERMISSION_DENIED) << address;
  }
  EXPECT_THAT(Measure("198.18.1.60").first.error_message(), HasSubstr("opted out"));
  EXPECT_THAT(Measure("198.18.0.1").first.error_message(), HasSubstr("own address"));
  EXPECT_THAT(Measure("10.0.0.1").first.error_message(), HasSubstr("10.0.0.0/8"));
  EXPECT_EQ(PacketsSent(), before);
}

TEST_F(ProberTest, AnExhaustedBudgetIsSaidAndSendsNothing) {
  prober_.reset();
  std::ofstream(fleet_)
      << "probe_policy { allow_special: \"198.18.0.0/15\" max_probes_per_prefix_per_second: 1 }";
  StartProber();
  std::vector<std::unique_ptr<Call>> calls;
  for (int i = 1; i <= 4; ++i)
    calls.push_back(Start(World(kDark, i)));  // 3 × 4 packets fit into the burst of 14
  int exhausted = 0;
  for (auto& call : calls) {
    exhausted += call->status.get_future().get().error_code() == grpc::StatusCode::RESOURCE_EXHAUSTED;
  }
  EXPECT_EQ(exhausted, 1);
}

TEST_F(ProberTest, MoreFlightsThanTheLimitAreRefused) {
  prober_.reset();
  StartProber({"--max-flights", "2"});
  auto one = Start(World(kDark, 1)), two = Start(World(kDark, 2)), three = Start(World(kDark, 3));
  std::vector<grpc::StatusCode> codes;
  for (auto* call : {&one, &two, &three}) codes.push_back((*call)->status.get_future().get().error_code());
  EXPECT_EQ(std::count(codes.begin(), codes.end(), grpc::StatusCode::OK), 2);
  EXPECT_EQ(std::count(codes.begin(), codes.end(), grpc::StatusCode::RESOURCE_EXHAUSTED), 1);
}

TEST_F(ProberTest, MoreCallersThanTheLimitAreRefused) {
  std::vector<std::unique_ptr<Call>> calls;
  for (int i = 0; i < 257; ++i) calls.push_back(Start(World(kDark, 9)));
  int exhausted = 0;
  for (auto& call : calls) {
    exhausted += call->status.get_future().get().error_code() == grpc::StatusCode::RESOURCE_EXHAUSTED;
  }
  EXPECT_EQ(exhausted, 1);
}

TEST_F(ProberTest, BadRequestsAreNamed) {
  EXPECT_THAT(Measure("nonsense").first.error_message(), HasSubstr("nonsense"));
  EXPECT_EQ(Measure("198.18.1.1\nhalt 1").first.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_EQ(Measure(World(kPinging, 1), 11).first.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_EQ(Measure(World(kPinging, 1), 1, {}, {0}).first.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
}

TEST_F(ProberTest, GarbageBytesAreAnErrorAndTheServerLives) {
  grpc::GenericStub stub(channel_);
  grpc::ClientContext context;
  const grpc::Slice garbage("\xff\xff\xff\xff\x0a\xff not a protobuf");
  grpc::ByteBuffer request(&garbage, 1), response;
  std::promise<grpc::Status> status;
  stub.UnaryCall(&context, "/perigee.v1.Prober/Measure", {}, &request, &response,
                 [&](grpc::Status s) { status.set_value(std::move(s)); });
  EXPECT_FALSE(status.get_future().get().ok());
  EXPECT_TRUE(Measure(World(kPinging, 1)).first.ok());
}

TEST_F(ProberTest, ADeadScamperIsNoticedReportedAndReplaced) {
  const auto scamper = prober_->Scamper();
  ASSERT_TRUE(scamper.has_value());
  const long before = PacketsSent();
  auto pending = Start(World(kDark, 6));
  ASSERT_TRUE(Eventually([&] { return PacketsSent() > before; }));
  kill(*scamper, SIGKILL);
  const auto status = pending->status.get_future().get();
  EXPECT_EQ(status.error_code(), grpc::StatusCode::UNAVAILABLE);
  EXPECT_LT(pending->took(), kSilentAfter) << "at once, not at the deadline";
  EXPECT_FALSE(Health().serving);
  EXPECT_EQ(Measure(World(kPinging, 1)).first.error_code(), grpc::StatusCode::UNAVAILABLE);
  ASSERT_TRUE(Eventually([&] { return Health().serving; }));
  EXPECT_EQ(Measure(World(kPinging, 1)).second.method(), v1::METHOD_ICMP_ECHO);
  EXPECT_NE(prober_->Scamper(), scamper);
}

TEST_F(ProberTest, AStormOfCallsAndCancellationsSurvivesScampersDeath) {
  const auto scamper = prober_->Scamper();
  ASSERT_TRUE(scamper.has_value());
  std::vector<std::unique_ptr<Call>> calls;
  for (int i = 0; i < 300; ++i) {
    const auto address = i % 3 == 0 ? std::string(kMute) : World(i % 3 == 1 ? kPinging : kDark, 1 + i % 50);
    calls.push_back(Start(address, static_cast<uint32_t>(i % 4)));
    if (i % 7 == 0) calls[static_cast<size_t>(i) / 2]->context.TryCancel();
    if (i == 200) kill(*scamper, SIGKILL);
  }
  for (auto& call : calls) {
    const auto code = call->status.get_future().get().error_code();
    EXPECT_TRUE(code == grpc::StatusCode::OK || code == grpc::StatusCode::UNAVAILABLE ||
                code == grpc::StatusCode::CANCELLED)
        << code;
  }
  ASSERT_TRUE(Eventually([&] { return Health().serving; }));
  EXPECT_EQ(Measure(World(kPinging, 1)).second.method(), v1::METHOD_ICMP_ECHO);
}

TEST_F(ProberTest, AHangingScamperIsReplaced) {
  const auto scamper = prober_->Scamper();
  ASSERT_TRUE(scamper.has_value());
  kill(*scamper, SIGSTOP);
  auto pending = Start(World(kPinging, 1), 1, milliseconds(3000), {9});
  ASSERT_TRUE(pending->status.get_future().get().ok()) << "TCP answers meanwhile";
  EXPECT_EQ(pending->response.method(), v1::METHOD_TCP_SYN);
  ASSERT_TRUE(Eventually([&] { return !IsAlive(*scamper); }, milliseconds(8000)));
  ASSERT_TRUE(Eventually([&] { return Health().serving; }));
  EXPECT_EQ(Measure(World(kPinging, 1)).second.method(), v1::METHOD_ICMP_ECHO);
}

TEST_F(ProberTest, StoppingEndsScamperAndTidiesUp) {
  const auto scamper = prober_->Scamper();
  ASSERT_TRUE(scamper.has_value());
  const auto folder = FolderOf(*scamper);
  ASSERT_TRUE(std::filesystem::exists(folder));
  auto pending = Start(World(kDark, 7));
  ASSERT_TRUE(Measure(World(kPinging, 7)).first.ok()) << "so that the one before it has come too";
  EXPECT_EQ(prober_->Stop(SIGTERM), 0);
  const grpc::Status status = pending->status.get_future().get();
  EXPECT_EQ(status.error_code(), grpc::StatusCode::UNAVAILABLE) << status.error_message();
  EXPECT_FALSE(IsAlive(*scamper));
  EXPECT_FALSE(std::filesystem::exists(folder));
  prober_.reset();
}

TEST_F(ProberTest, AKilledProberTakesScamperAlong) {
  const auto scamper = prober_->Scamper();
  ASSERT_TRUE(scamper.has_value());
  const auto folder = FolderOf(*scamper);
  ASSERT_TRUE(std::filesystem::exists(folder));
  prober_->Stop(SIGKILL);
  EXPECT_TRUE(Eventually([&] { return !IsAlive(*scamper); }));
  EXPECT_TRUE(Eventually([&] { return !std::filesystem::exists(folder); }));
  prober_.reset();
}

TEST_F(ProberTest, APortInUseIsSaid) {
  const std::string log = testing::TempDir() + "/second.log";
  Program second({}, log);
  EXPECT_EQ(second.Wait(), 1);
  std::string text;
  std::getline(std::ifstream(log), text);
  EXPECT_THAT(text, HasSubstr("127.0.0.1:4301"));
  EXPECT_THAT(text, HasSubstr("already in use"));
}

TEST_F(ProberTest, WrongFlagsExitWith2) {
  EXPECT_EQ(Program({"--no-such-flag"}).Wait(), 2);
  EXPECT_EQ(Program({"--listen", "nonsense"}).Wait(), 2);
  EXPECT_EQ(Program({"--config", "/nonexistent"}).Wait(), 2);
  EXPECT_EQ(Program({"--scamper", "/nonexistent"}).Wait(), 2);
  EXPECT_EQ(Program({"--listen", "0.0.0.0:4399"}).Wait(), 2) << "beyond loopback without certificates";
  EXPECT_EQ(Program({"--silent-after-ms", "0"}).Wait(), 2);
}

// The figures of the closing note; prints, and holds a generous bound.
TEST_F(ProberTest, AddsLittleToTheRoundTrip) {
  std::vector<long> added;
  for (int i = 0; i < 500; ++i) {
    const auto start = steady_clock::now();
    const auto [status, response] = Measure(World(kPinging, 1 + i % 50));
    const auto took = std::chrono::duration_cast<std::chrono::microseconds>(steady_clock::now() - start);
    ASSERT_TRUE(status.ok()) << status.error_message();
    added.push_back(took.count() - response.min_rtt_us());
  }
  std::sort(added.begin(), added.end());
  fmt::print("Measure adds to scamper's RTT: p50 {} us, p99 {} us\n", added[250], added[495]);
  EXPECT_LT(added[250], 5'000);

  std::vector<long> mute;
  for (int i = 0; i < 11; ++i) {
    auto call = Start(kMute);
    ASSERT_TRUE(call->status.get_future().get().ok());
    mute.push_back(
        std::chrono::duration_cast<std::chrono::microseconds>(call->answered - call->sent).count());
  }
  std::sort(mute.begin(), mute.end());
  fmt::print("A client that ignores pings costs p50 {} us, max {} us\n", mute[5], mute[10]);
}

// Without root there is nothing to test with: a failure where everything must run, and otherwise a skip that
// says so.
class NeedsRoot : public testing::Environment {
 public:
  void SetUp() override {
    const char* ci = getenv("CI");
    if (ci != nullptr && std::string_view(ci) == "true") FAIL() << kReason;
    GTEST_SKIP() << kReason;
  }

 private:
  static constexpr const char* kReason = "needs root, for network namespaces and scamper";
};

}  // namespace
}  // namespace perigee

int main(int argc, char** argv) {
  testing::InitGoogleTest(&argc, argv);
  if (geteuid() != 0) {
    testing::AddGlobalTestEnvironment(new perigee::NeedsRoot);
    return RUN_ALL_TESTS();
  }
  if (const std::string error = perigee::EnterTestingWorld(); !error.empty()) {
    fmt::print(stderr, "{}\n", error);
    return 1;
  }
  return RUN_ALL_TESTS();
}
