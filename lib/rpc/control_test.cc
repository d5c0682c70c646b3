#include "lib/rpc/control.h"

#include <grpcpp/generic/generic_stub.h>

#include <atomic>
#include <future>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "lib/rpc/health_probe.h"

namespace perigee {
namespace {

using std::chrono::milliseconds;

const IpEndpoint kAnyLoopbackPort = *IpEndpoint::Parse("127.0.0.1:0");

std::shared_ptr<grpc::Channel> ChannelTo(const ControlServer& server) {
  return grpc::CreateChannel("127.0.0.1:" + std::to_string(server.port()),
                             grpc::InsecureChannelCredentials());
}

HealthReport CheckOnce(HealthProbe& probe, milliseconds timeout = milliseconds(2000)) {
  std::promise<HealthReport> report;
  probe.Check(timeout, [&](HealthReport r) { report.set_value(r); });
  return report.get_future().get();
}

TEST(ControlServer, SaysServingUntilToldOtherwise) {
  auto server = ControlServer::Start(kAnyLoopbackPort, {}, {});
  ASSERT_TRUE(server.ok()) << server.status();
  HealthProbe probe(ChannelTo(**server));
  const HealthReport first = CheckOnce(probe);
  EXPECT_TRUE(first.serving);
  EXPECT_EQ(first.rtt, Rtt::zero()) << "the first call had to connect: its duration is no round trip";
  (*server)->SetServing("", false);
  const HealthReport report = CheckOnce(probe);
  EXPECT_FALSE(report.serving);
  EXPECT_TRUE(report.reachable);
  EXPECT_GT(report.rtt, Rtt::zero());
}

TEST(ControlServer, AGoneServerIsNotReachable) {
  auto server = ControlServer::Start(kAnyLoopbackPort, {}, {});
  ASSERT_TRUE(server.ok());
  HealthProbe probe(ChannelTo(**server));
  EXPECT_TRUE(CheckOnce(probe).reachable);
  server->reset();
  EXPECT_FALSE(CheckOnce(probe, milliseconds(300)).reachable);
}

TEST(HealthProbe, MayGoAwayWhileACallIsUnderWay) {
  std::atomic<int> done{0};
  {
    HealthProbe probe(ControlChannel(*IpEndpoint::Parse("127.0.0.1:1"), CallerCredentials::PlainText()));
    for (int i = 0; i < 10; ++i) probe.Check(milliseconds(5000), [&](HealthReport) { ++done; });
  }
  EXPECT_EQ(done, 10);
}

TEST(ControlServer, APortInUseIsNamed) {
  auto first = ControlServer::Start(kAnyLoopbackPort, {}, {});
  ASSERT_TRUE(first.ok());
  const IpEndpoint taken{kAnyLoopbackPort.address, static_cast<uint16_t>((*first)->port())};
  const auto second = ControlServer::Start(taken, {}, {});
  EXPECT_EQ(second.status().code(), absl::StatusCode::kUnavailable);
  EXPECT_THAT(std::string(second.status().message()), testing::HasSubstr(taken.ToString()));
}

TEST(ControlServer, BeyondLoopbackNeedsCertificatesOrAWord) {
  const IpEndpoint beyond = *IpEndpoint::Parse("0.0.0.0:0");
  EXPECT_EQ(ControlServer::Start(beyond, {}, {}).status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_TRUE(ControlServer::Start(beyond, {.insecure = true}, {}).ok());
}

TEST(ControlServer, AMissingKeyFileIsNamed) {
  const ControlSecurity security{.ca_file = "/nonexistent/ca.pem",
                                 .certificate_file = "/nonexistent/c.pem",
                                 .key_file = "/nonexistent/k.pem"};
  EXPECT_EQ(ControlServer::Start(kAnyLoopbackPort, security, {}).status().message(),
            "control: \"/nonexistent/ca.pem\": there is no such file");
  EXPECT_FALSE(CallerCredentials::For(security).ok());
}

TEST(ControlServer, AnEndlessKeyFileIsReadNoFurtherThanTheLimit) {
  const ControlSecurity security{
      .ca_file = "/dev/zero", .certificate_file = "/dev/zero", .key_file = "/dev/zero"};
  EXPECT_EQ(CallerCredentials::For(security).status(),
            absl::InvalidArgumentError("control: \"/dev/zero\" is larger than 1048576 bytes"));
}

// One call of the health service with these octets for a message.
grpc::Status CallWith(const ControlServer& server, const std::string& message) {
  grpc::GenericStub stub(ChannelTo(server));
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(5));
  grpc::Slice slice(message);
  grpc::ByteBuffer request(&slice, 1), response;
  std::promise<grpc::Status> status;
  stub.UnaryCall(&context, "/grpc.health.v1.Health/Check", {}, &request, &response,
                 [&](grpc::Status s) { status.set_value(std::move(s)); });
  return status.get_future().get();
}

// A field that the health service doesn't know, and ignores: `bytes` octets in all.
std::string UnknownField(size_t bytes) {
  const size_t length = bytes - 4;  // 0x7a: field 15, then the length as a varint of three octets
  std::string message = {0x7a, static_cast<char>(length | 0x80), static_cast<char>(length >> 7 | 0x80),
                         static_cast<char>(length >> 14)};
  return message + std::string(length, 'x');
}

TEST(ControlServer, AMessageOverOneMiBIsRefusedAndTheServerLives) {
  auto server = ControlServer::Start(kAnyLoopbackPort, {}, {});
  ASSERT_TRUE(server.ok());
  EXPECT_TRUE(CallWith(**server, UnknownField(1 << 20)).ok());
  EXPECT_EQ(CallWith(**server, UnknownField((1 << 20) + 1)).error_code(),
            grpc::StatusCode::RESOURCE_EXHAUSTED);
  HealthProbe probe(ChannelTo(**server));
  EXPECT_TRUE(CheckOnce(probe).serving);
}

TEST(ControlServer, GarbageInsteadOfAMessageIsAnErrorAndNoMore) {
  auto server = ControlServer::Start(kAnyLoopbackPort, {}, {});
  ASSERT_TRUE(server.ok());
  EXPECT_FALSE(CallWith(**server, "\xff\xff\xff\xff not a protobuf").ok());
  HealthProbe probe(ChannelTo(**server));
  EXPECT_TRUE(CheckOnce(probe).serving);
}

}  // namespace
}  // namespace perigee
