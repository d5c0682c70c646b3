// How the measurement room ends while the loop that it lived on runs on: a reload makes a new one.
#include <atomic>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/post.hpp>
#include <functional>
#include <future>
#include <memory>
#include <thread>
#include <vector>

#include "gtest/gtest.h"
#include "lib/rpc/control.h"
#include "services/dns/measurement/distance_survey.h"
#include "services/dns/measurement/measurement_loop.h"
#include "services/dns/measurement/testing_permit.h"

namespace perigee::dns {
namespace {

using std::chrono::seconds;

const ClientKey kClient = KeyOf(*IpAddress::Parse("198.18.7.7"));

// Holds every call until the caller gives up.
class SlowProber final : public v1::Prober::CallbackService {
 public:
  grpc::ServerUnaryReactor* Measure(grpc::CallbackServerContext*, const v1::MeasureRequest*,
                                    v1::MeasureResponse*) override {
    struct HeldCall : grpc::ServerUnaryReactor {
      void OnCancel() override { Finish(grpc::Status::CANCELLED); }
      void OnDone() override { delete this; }
    };
    if (asked_.fetch_add(1) + 1 == kAwaited) all_asked_.set_value();
    return new HeldCall;
  }
  // Returns when one query and one round of the survey have reached it.
  void Await() { all_asked_.get_future().wait(); }

 private:
  static constexpr int kAwaited = 3;  // two for the client, one from replica to replica
  std::atomic<int> asked_{0};
  std::promise<void> all_asked_;
};

class LoopEndTest : public testing::Test {
 protected:
  // The rooms of one generation.
  struct Generation {
    explicit Generation(LoopEndTest& t)
        : probers(t.channels_),
          measurement(t.io_, {.hold = seconds(3), .measure_deadline = seconds(60)}, t.fleet_, t.map_, probers,
                      t.clock_, t.permit_),
          survey(t.io_, t.fleet_, probers, t.clock_) {}
    ProberClient probers;
    MeasurementLoop measurement;
    DistanceSurvey survey;
  };

  LoopEndTest() {
    server_ = *ControlServer::Start(*IpEndpoint::Parse("127.0.0.1:0"), {}, {&prober_});
    const IpEndpoint peer{*IpAddress::Parse("127.0.0.1"), static_cast<uint16_t>(server_->port())};
    for (int i = 0; i < 2; ++i) channels_.push_back(ControlChannel(peer, CallerCredentials::PlainText()));
    generation_ = std::make_unique<Generation>(*this);
    thread_ = std::thread([this] { io_.run(); });
  }
  ~LoopEndTest() override {
    work_.reset();
    thread_.join();
  }
  // Returns when the loop has done all that it had to do so far, and `task`.
  void OnLoop(std::function<void()> task) {
    std::promise<void> done;
    boost::asio::post(io_, [&] {
      task();
      done.set_value();
    });
    done.get_future().wait();
  }

  SystemClock clock_;
  FleetState fleet_{{{.name = "a", .ipv4 = *IpAddress::Parse("192.0.2.1")},
                     {.name = "b", .ipv4 = *IpAddress::Parse("192.0.2.2")}}};
  RttMap map_{2, 1000, clock_.Now()};
  SlowProber prober_;
  std::unique_ptr<ControlServer> server_;
  std::vector<std::shared_ptr<grpc::Channel>> channels_;
  boost::asio::io_context io_{1};
  boost::asio::executor_work_guard<boost::asio::io_context::executor_type> work_{io_.get_executor()};
  OpenPermit permit_;
  std::unique_ptr<Generation> generation_;
  std::thread thread_;
};

TEST_F(LoopEndTest, AGenerationEndsAmidItsMeasurementsAndThoseWhoWaitAreAnswered) {
  std::promise<Reason> answer;
  generation_->measurement.Park(kClient, [&](const FlightOutcome* outcome) {
    ASSERT_NE(outcome, nullptr);
    answer.set_value(outcome->decision.reason);
  });
  prober_.Await();

  const auto begin = std::chrono::steady_clock::now();
  generation_->measurement.Stop();
  generation_->survey.Stop();
  generation_->probers.Stop();
  OnLoop([this] { generation_.reset(); });
  EXPECT_EQ(answer.get_future().get(), Reason::kHashed);
  OnLoop([] {});  // whatever was still queued has run
  EXPECT_LT(std::chrono::steady_clock::now() - begin, seconds(2))
      << "neither hold nor deadline was waited for";
  MapRow row;
  EXPECT_FALSE(map_.Find(kClient.prefix, &row)) << "a cancelled measurement is none";
}

TEST_F(LoopEndTest, AfterStopQueriesGetTheFallbackAtOnce) {
  generation_->measurement.Stop();
  std::promise<bool> answered;
  generation_->measurement.Park(
      kClient, [&](const FlightOutcome* outcome) { answered.set_value(outcome != nullptr); });
  EXPECT_TRUE(answered.get_future().get());
  generation_->survey.Stop();
  generation_->probers.Stop();
  OnLoop([this] { generation_.reset(); });
}

}  // namespace
}  // namespace perigee::dns
