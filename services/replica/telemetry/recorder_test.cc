#include "services/replica/telemetry/recorder.h"

#include <gmock/gmock.h>

namespace perigee::replica {
namespace {

using std::chrono::milliseconds;

class RecorderTest : public testing::Test {
 protected:
  AccessEntry Logged() {
    ring_.Drain([this](std::string_view record) { record_ = record; });
    return AccessLog::Unpack(record_);
  }

  FakeClock clock_;
  Counters counters_;
  LogRing ring_{AccessLog::kRingSize};
  Telemetry telemetry_{.counters = counters_, .access_log = &ring_, .clock = clock_};
  Recorder recorder_{telemetry_, IpAddress::Parse("192.0.2.1").value()};
  RequestHead request_{.method = "GET", .target = "/a", .headers = {{"User-Agent", "x"}}};

 private:
  std::string record_;
};

TEST_F(RecorderTest, AHitIsCountedWithItsTimeAndBytes) {
  recorder_.Begin(1000);
  const WallTime began = clock_.WallNow();
  const std::string head = "HTTP/1.1 200 OK\r\nA: b\r\n\r\n";
  recorder_.Answer(200, {.detail = "disk"}, head + "body", 1000);
  clock_.Advance(milliseconds(3));
  recorder_.End(request_, 1000 + head.size() + 4);
  EXPECT_EQ(counters_.by_method[MethodClass::kGet].value(), 1u);
  EXPECT_EQ(counters_.by_status[StatusClass::k2xx].value(), 1u);
  EXPECT_EQ(counters_.by_forward[0].value(), 1u);
  EXPECT_EQ(counters_.by_tier[HitTier::kDisk].value(), 1u);
  EXPECT_EQ(counters_.sent_bytes.value(), head.size() + 4);
  EXPECT_EQ(counters_.hit_latency.sum_us(), 3000u);
  EXPECT_EQ(counters_.forwarded_latency.sum_us(), 0u);
  const AccessEntry entry = Logged();
  EXPECT_EQ(entry.time, began);
  EXPECT_EQ(entry.client.ToString(), "192.0.2.1");
  EXPECT_EQ(entry.bytes, 4u);
  EXPECT_EQ(entry.user_agent, "x");
  EXPECT_EQ(entry.total, milliseconds(3));
  EXPECT_FALSE(entry.upstream);
}

TEST_F(RecorderTest, TriesOfTheOriginAddUp) {
  recorder_.Begin(0);
  for (const FetchError error : {FetchError::kClosed, FetchError::kNone}) {
    recorder_.AskOrigin();
    clock_.Advance(milliseconds(5));
    recorder_.OriginSaid(error);
  }
  recorder_.Answer(200, {.forward = http::Forward::kUriMiss}, "\r\n\r\n", 0);
  clock_.Advance(milliseconds(1));
  recorder_.End(request_, 4);
  EXPECT_EQ(counters_.origin_requests.value(), 2u);
  EXPECT_EQ(counters_.origin_failures[static_cast<size_t>(FetchError::kClosed)].value(), 1u);
  EXPECT_EQ(counters_.origin_latency.sum_us(), 5000u);
  EXPECT_EQ(counters_.forwarded_latency.sum_us(), 11'000u);
  EXPECT_EQ(Logged().upstream, milliseconds(10));
}

TEST_F(RecorderTest, NothingOfARequestIsLeftForTheNext) {
  recorder_.Begin(0);
  recorder_.AskOrigin();
  recorder_.OriginSaid(FetchError::kNone);
  recorder_.Answer(200, {.forward = http::Forward::kUriMiss}, "\r\n\r\n", 0);
  recorder_.End(request_, 100);
  recorder_.Begin(100);
  recorder_.End(request_, 100);
  const AccessEntry entry = Logged();
  EXPECT_EQ(entry.status, 0);
  EXPECT_EQ(entry.bytes, 0u);
  EXPECT_FALSE(entry.upstream);
  EXPECT_EQ(counters_.by_status[StatusClass::kNone].value(), 1u);
  EXPECT_EQ(counters_.by_forward[static_cast<size_t>(http::Forward::kUriMiss)].value(), 1u);
}

TEST_F(RecorderTest, RefusalsAreCountedByTheirStatus) {
  recorder_.Begin(0);
  recorder_.Answer(421, {.forward = http::Forward::kBypass, .detail = kRejectedDetail}, "", 0);
  recorder_.End(request_, 0);
  EXPECT_EQ(counters_.refused[Refusal::kForeignHost].value(), 1u);
  EXPECT_EQ(counters_.refused.sum(), 1u);
}

TEST_F(RecorderTest, WithoutALogItOnlyCounts) {
  const Telemetry telemetry{.counters = counters_, .clock = clock_};
  Recorder recorder(telemetry, IpAddress());
  recorder.Begin(0);
  recorder.Answer(200, {}, "\r\n\r\n", 0);
  recorder.End(request_, 4);
  EXPECT_EQ(counters_.by_tier[HitTier::kMemory].value(), 1u);
}

}  // namespace
}  // namespace perigee::replica
