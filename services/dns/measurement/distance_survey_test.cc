#include "services/dns/measurement/distance_survey.h"

#include <boost/asio/executor_work_guard.hpp>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <vector>

#include "fmt/format.h"
#include "gmock/gmock.h"
#include "lib/base/read_file.h"
#include "lib/rpc/control.h"
#include "services/dns/steering/selector.h"

namespace perigee::dns {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::ElementsAre;

std::string AddressOf(size_t replica) { return fmt::format("192.0.2.{}", replica + 1); }
// What everybody measures to it.
Rtt RttTo(size_t replica) { return milliseconds(replica + 1); }

// All probers at once: an answer depends on whom it is about alone.
class Probers final : public v1::Prober::CallbackService {
 public:
  explicit Probers(size_t replicas) {
    for (size_t i = 0; i < replicas; ++i) numbers_[AddressOf(i)] = i;
  }

  grpc::ServerUnaryReactor* Measure(grpc::CallbackServerContext* context, const v1::MeasureRequest* request,
                                    v1::MeasureResponse* response) override {
    const std::lock_guard lock(mutex_);
    ++asked_[request->address()];
    last_ = *request;
    response->set_method(v1::METHOD_SILENT);
    if (silent_.count(request->address()) == 0) {
      response->set_method(v1::METHOD_ICMP_ECHO);
      response->set_min_rtt_us(static_cast<uint32_t>(RttTo(numbers_.at(request->address())).count()));
    }
    auto* reactor = context->DefaultReactor();
    reactor->Finish(grpc::Status::OK);
    return reactor;
  }

  void Silence(const std::string& address, bool silent) {
    const std::lock_guard lock(mutex_);
    silent ? (void)silent_.insert(address) : (void)silent_.erase(address);
  }
  std::map<std::string, int> asked() const {
    const std::lock_guard lock(mutex_);
    return asked_;
  }
  v1::MeasureRequest last() const {
    const std::lock_guard lock(mutex_);
    return last_;
  }

 private:
  std::map<std::string, size_t> numbers_;
  mutable std::mutex mutex_;  // guards what follows
  std::map<std::string, int> asked_;
  std::set<std::string> silent_;
  v1::MeasureRequest last_;
};

class DistanceSurveyTest : public testing::Test {
 protected:
  ~DistanceSurveyTest() override {
    if (!survey_) return;
    survey_->Stop();
    client_->Stop();
  }

  void Start(size_t replicas, const SurveyPauses& pauses = {}, MeasurementLog* log = nullptr) {
    std::vector<ReplicaInfo> infos;
    for (size_t i = 0; i < replicas; ++i) {
      infos.push_back(
          {.name = fmt::format("r{}", i), .ipv4 = *IpAddress::Parse(AddressOf(i)), .http_port = 8080});
    }
    fleet_ = std::make_unique<FleetState>(std::move(infos));
    probers_ = std::make_unique<Probers>(replicas);
    server_ = *ControlServer::Start(*IpEndpoint::Parse("127.0.0.1:0"), {}, {probers_.get()});
    const IpEndpoint peer{*IpAddress::Parse("127.0.0.1"), static_cast<uint16_t>(server_->port())};
    const std::vector<std::shared_ptr<grpc::Channel>> channels(
        replicas, ControlChannel(peer, CallerCredentials::PlainText()));
    client_ = std::make_unique<ProberClient>(channels);
    survey_ = std::make_unique<DistanceSurvey>(io_, *fleet_, *client_, clock_, log, pauses);
  }

  [[nodiscard]] bool Until(const std::function<bool()>& reached) {
    const MonoTime end = std::chrono::steady_clock::now() + seconds(20);
    while (!reached() && std::chrono::steady_clock::now() < end) io_.run_one_for(milliseconds(100));
    return reached();
  }
  [[nodiscard]] bool UntilSet(uint64_t distances) {
    return Until([&] { return fleet_->distances_set() >= distances; });
  }
  Rtt Between(size_t a, size_t b) const {
    return fleet_->distances().Between(ToReplicaId(a), ToReplicaId(b));
  }

  SystemClock clock_;
  boost::asio::io_context io_{1};
  boost::asio::executor_work_guard<boost::asio::io_context::executor_type> work_{io_.get_executor()};
  std::unique_ptr<FleetState> fleet_;
  std::unique_ptr<Probers> probers_;
  std::unique_ptr<ControlServer> server_;
  std::unique_ptr<ProberClient> client_;
  std::unique_ptr<DistanceSurvey> survey_;
};

TEST_F(DistanceSurveyTest, EachMeasuresEachOfTheOthersOnceARound) {
  Start(3);
  ASSERT_TRUE(UntilSet(6));
  EXPECT_EQ(Between(0, 1), RttTo(0)) << "of the two the shorter one";
  EXPECT_EQ(Between(1, 2), RttTo(1));
  EXPECT_EQ(fleet_->longer_distances().Between(ToReplicaId(0), ToReplicaId(2)), RttTo(2));
  for (const auto& [address, times] : probers_->asked()) EXPECT_EQ(times, 2) << address;
  EXPECT_EQ(probers_->last().probes(), 3u);
  EXPECT_THAT(probers_->last().tcp_ports(), ElementsAre(8080u)) << "there somebody answers";
}

TEST_F(DistanceSurveyTest, OfALargeFleetTheLandmarksAloneAreMeasured) {
  constexpr size_t kReplicas = kWholeFleet + 1;
  Start(kReplicas);
  ASSERT_EQ(fleet_->landmarks().size(), static_cast<int>(kLandmarks));
  ASSERT_TRUE(UntilSet(kReplicas * kLandmarks - kLandmarks));
  const auto asked = probers_->asked();
  EXPECT_EQ(asked.size(), kLandmarks);
  for (const ReplicaId id : fleet_->landmarks())
    EXPECT_EQ(asked.at(AddressOf(Index(id))), static_cast<int>(kReplicas) - 1);
}

TEST_F(DistanceSurveyTest, WhileADistanceIsUnknownRoundsFollowSoon) {
  Start(3, {.complete = std::chrono::hours(1), .incomplete = milliseconds(1)});
  for (const size_t silent : {1, 2}) probers_->Silence(AddressOf(silent), true);
  ASSERT_TRUE(Until([&] { return probers_->asked()[AddressOf(1)] > 4; }));
  EXPECT_EQ(Between(0, 1), RttTo(0)) << "one of the two could measure it";
  EXPECT_EQ(Between(1, 2), Rtt::zero());
  probers_->Silence(AddressOf(2), false);
  EXPECT_TRUE(Until([&] { return Between(1, 2) == RttTo(2); }));
}

TEST_F(DistanceSurveyTest, AnotherRoundFollowsACompleteOne) {
  Start(2, {.complete = milliseconds(1), .incomplete = std::chrono::hours(1)});
  EXPECT_TRUE(UntilSet(6));
}

TEST_F(DistanceSurveyTest, WhatEachMeasuredIsWrittenDownInOneLine) {
  const std::string path = testing::TempDir() + "distances.log";
  std::filesystem::remove(path);
  auto log = MeasurementLog::Open(path);
  ASSERT_TRUE(log.ok()) << log.status();
  Start(3, {}, log->get());
  probers_->Silence(AddressOf(1), true);
  ASSERT_TRUE(UntilSet(4));
  ASSERT_TRUE(Until([&] { return (*log)->written() == 3; }));
  log->reset();
  const std::string lines = *ReadFile(path, 1 << 20);
  EXPECT_THAT(lines, testing::HasSubstr(" r0 distances r2=3000\n"));
  EXPECT_THAT(lines, testing::HasSubstr(" r1 distances r0=1000 r2=3000\n"));
  EXPECT_THAT(lines, testing::HasSubstr(" r2 distances r0=1000\n"));
}

TEST_F(DistanceSurveyTest, MeasuresNothingOnceItIsStopped) {
  Start(3);
  survey_->Stop();
  work_.reset();
  EXPECT_EQ(io_.run(), 1u) << "the round that does not start";
  client_->Stop();
  io_.restart();
  EXPECT_EQ(io_.poll(), 0u) << "no call was under way";
}

}  // namespace
}  // namespace perigee::dns
