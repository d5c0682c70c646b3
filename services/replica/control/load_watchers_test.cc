#include "services/replica/control/load_watchers.h"

#include <atomic>
#include <chrono>
#include <memory>
#include <vector>

#include "gtest/gtest.h"
#include "lib/rpc/control.h"

namespace perigee::replica {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

class WatchService final : public v1::Replica::CallbackService {
 public:
  grpc::ServerWriteReactor<v1::WatchReport>* Watch(grpc::CallbackServerContext*,
                                                   const v1::WatchRequest* request) override {
    return watchers.Add(*request);
  }
  std::atomic<uint64_t> requests{0};
  SystemClock clock;
  ClientRtts rtts;
  Beacons beacons;
  LoadWatchers watchers{[this] { return ServerStats{.connections = 7, .requests = requests}; }, clock, rtts,
                        beacons};
};

// One call, and its end.
struct Watch {
  Watch(v1::Replica::Stub& stub, uint32_t interval_ms, bool client_rtts = false) {
    v1::WatchRequest request;
    request.set_client_rtts(client_rtts);
    request.set_interval_ms(interval_ms);
    context.set_deadline(std::chrono::system_clock::now() + seconds(30));
    reader = stub.Watch(&context, request);
  }
  grpc::StatusCode Code() {
    v1::WatchReport report;
    while (reader->Read(&report)) {
    }
    return reader->Finish().error_code();
  }
  grpc::ClientContext context;
  std::unique_ptr<grpc::ClientReader<v1::WatchReport>> reader;
};

class LoadWatchersTest : public testing::Test {
 protected:
  void SetUp() override {
    auto control = ControlServer::Start(*IpEndpoint::Parse("127.0.0.1:0"), {}, {&service_});
    ASSERT_TRUE(control.ok()) << control.status();
    control_ = *std::move(control);
    const IpEndpoint at{*IpAddress::Parse("127.0.0.1"), static_cast<uint16_t>(control_->port())};
    stub_ = v1::Replica::NewStub(ControlChannel(at, CallerCredentials::PlainText()));
  }

  WatchService service_;
  std::unique_ptr<ControlServer> control_;
  std::unique_ptr<v1::Replica::Stub> stub_;
};

TEST(RequestRate, IsPerSecondAndNeverNonsense) {
  EXPECT_EQ(RequestRate(100, 150, seconds(1)), 50u);
  EXPECT_EQ(RequestRate(100, 150, milliseconds(100)), 500u);
  EXPECT_EQ(RequestRate(0, 2, seconds(3)), 1u) << "rounded";
  EXPECT_EQ(RequestRate(100, 150, seconds(0)), 0u);
  EXPECT_EQ(RequestRate(150, 100, seconds(1)), 0u);
  EXPECT_EQ(RequestRate(0, UINT64_MAX, seconds(1)), UINT32_MAX);
}

TEST_F(LoadWatchersTest, WhoAsksIsToldEachBeaconOnce) {
  const auto token = *BeaconToken::Parse("0123456789-abcdef");
  service_.beacons.Add({*IpAddress::Parse("192.0.2.7"), token});  // before
  Watch asks(*stub_, 100, true), does_not(*stub_, 100);
  v1::WatchReport report;
  ASSERT_TRUE(asks.reader->Read(&report));
  EXPECT_EQ(report.beacon_size(), 0);
  service_.beacons.Add({*IpAddress::Parse("198.51.100.7"), token});
  while (report.beacon_size() == 0) ASSERT_TRUE(asks.reader->Read(&report));
  ASSERT_EQ(report.beacon_size(), 1);
  EXPECT_EQ(report.beacon(0).client(), "198.51.100.7");
  EXPECT_EQ(report.beacon(0).token(), token.text());
  ASSERT_TRUE(asks.reader->Read(&report));
  EXPECT_EQ(report.beacon_size(), 0);
  for (int i = 0; i < 2; ++i) {
    ASSERT_TRUE(does_not.reader->Read(&report));
    EXPECT_EQ(report.beacon_size(), 0);
  }
  asks.context.TryCancel();
  does_not.context.TryCancel();
}

TEST_F(LoadWatchersTest, WhoAsksIsToldTheRttsOfConnectionsThatEndMeanwhile) {
  service_.rtts.Add(*IpAddress::Parse("192.0.2.7"), Rtt(1));  // before
  Watch asks(*stub_, 100, true), does_not(*stub_, 100);
  v1::WatchReport report;
  ASSERT_TRUE(asks.reader->Read(&report));
  EXPECT_EQ(report.client_rtt_size(), 0);
  service_.rtts.Add(*IpAddress::Parse("198.51.100.7"), Rtt(1234));
  while (report.client_rtt_size() == 0) ASSERT_TRUE(asks.reader->Read(&report));
  ASSERT_EQ(report.client_rtt_size(), 1);
  EXPECT_EQ(report.client_rtt(0).prefix(), "198.51.100.0/24");
  EXPECT_EQ(report.client_rtt(0).rtt_us(), 1234u);
  EXPECT_EQ(report.client_rtt(0).connections(), 1u);
  ASSERT_TRUE(asks.reader->Read(&report));
  EXPECT_EQ(report.client_rtt_size(), 0);
  for (int i = 0; i < 2; ++i) {
    ASSERT_TRUE(does_not.reader->Read(&report));
    EXPECT_EQ(report.client_rtt_size(), 0);
  }
  asks.context.TryCancel();
  does_not.context.TryCancel();
}

TEST_F(LoadWatchersTest, TheFirstReportComesAtOnceAndTheNextTellsTheRate) {
  service_.requests = 1'000'000;
  Watch watch(*stub_, 100);
  v1::WatchReport report;
  ASSERT_TRUE(watch.reader->Read(&report));
  EXPECT_EQ(report.requests_per_second(), 0u) << "what came before the watch is no load";
  EXPECT_EQ(report.connections(), 7u);
  service_.requests += 1000;
  do ASSERT_TRUE(watch.reader->Read(&report));
  while (report.requests_per_second() == 0);
  EXPECT_LE(report.requests_per_second(), 10'000u);
  ASSERT_TRUE(watch.reader->Read(&report));
  EXPECT_EQ(report.requests_per_second(), 0u);
  watch.context.TryCancel();
  EXPECT_EQ(watch.Code(), grpc::StatusCode::CANCELLED);
}

TEST_F(LoadWatchersTest, AnIntervalOutOfRangeIsInvalid) {
  for (const uint32_t interval : {1u, 99u, 60'001u}) {
    EXPECT_EQ(Watch(*stub_, interval).Code(), grpc::StatusCode::INVALID_ARGUMENT) << interval;
  }
  for (const uint32_t interval : {0u, 100u, 60'000u}) {
    Watch watch(*stub_, interval);
    v1::WatchReport report;
    EXPECT_TRUE(watch.reader->Read(&report)) << interval;
    watch.context.TryCancel();
    EXPECT_EQ(watch.Code(), grpc::StatusCode::CANCELLED);
  }
}

TEST_F(LoadWatchersTest, SixteenWatchersAreTheLimitAndOneThatLeavesMakesRoom) {
  std::vector<std::unique_ptr<Watch>> watches;
  v1::WatchReport report;
  for (size_t i = 0; i < kMaxWatchers; ++i) {
    watches.push_back(std::make_unique<Watch>(*stub_, 60'000));
    ASSERT_TRUE(watches.back()->reader->Read(&report));
  }
  EXPECT_EQ(Watch(*stub_, 100).Code(), grpc::StatusCode::RESOURCE_EXHAUSTED);
  watches.front()->context.TryCancel();
  EXPECT_EQ(watches.front()->Code(), grpc::StatusCode::CANCELLED);
  const auto give_up = std::chrono::steady_clock::now() + seconds(10);
  bool room = false;
  while (!room && std::chrono::steady_clock::now() < give_up) {
    Watch another(*stub_, 60'000);
    room = another.reader->Read(&report);
    another.context.TryCancel();
    another.Code();
  }
  EXPECT_TRUE(room);
  service_.watchers.End();
  for (size_t i = 1; i < watches.size(); ++i) EXPECT_EQ(watches[i]->Code(), grpc::StatusCode::UNAVAILABLE);
}

TEST_F(LoadWatchersTest, TheControlServerStopsAlthoughWatchesAreOpen) {
  Watch fast(*stub_, 100), slow(*stub_, 60'000);
  v1::WatchReport report;
  ASSERT_TRUE(fast.reader->Read(&report));
  ASSERT_TRUE(slow.reader->Read(&report));
  const auto start = std::chrono::steady_clock::now();
  control_.reset();
  EXPECT_LT(std::chrono::steady_clock::now() - start, seconds(10)) << "a grace of one second";
  EXPECT_NE(fast.Code(), grpc::StatusCode::OK);
  EXPECT_NE(slow.Code(), grpc::StatusCode::OK);
}

TEST_F(LoadWatchersTest, EndedWatchesMakeTheStopImmediate) {
  Watch slow(*stub_, 60'000);
  v1::WatchReport report;
  ASSERT_TRUE(slow.reader->Read(&report));
  service_.watchers.End();
  EXPECT_EQ(slow.Code(), grpc::StatusCode::UNAVAILABLE);
  EXPECT_EQ(Watch(*stub_, 100).Code(), grpc::StatusCode::UNAVAILABLE) << "no new ones";
}

}  // namespace
}  // namespace perigee::replica
