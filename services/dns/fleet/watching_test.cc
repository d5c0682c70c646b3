// The heartbeat and the load watch against control servers on loopback.
#include <atomic>
#include <boost/asio/executor_work_guard.hpp>
#include <functional>
#include <thread>

#include "gtest/gtest.h"
#include "lib/rpc/control.h"
#include "perigee/v1/replica.grpc.pb.h"
#include "services/dns/fleet/heartbeat.h"
#include "services/dns/fleet/load_watch.h"

namespace perigee::dns {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

// Says one thing, over and over or once, until the caller cancels.
class ScriptedReplica final : public v1::Replica::CallbackService {
 public:
  struct Stream final : grpc::ServerWriteReactor<v1::WatchReport> {
    explicit Stream(ScriptedReplica& replica) : owner(replica) {
      report.add_client_rtt()->set_prefix(replica.padding);
      Write();
    }
    void Write() {
      report.set_requests_per_second(owner.load);
      StartWrite(&report);
    }
    void OnWriteDone(bool ok) override {
      if (!ok || cancelled) return Finish(grpc::Status::CANCELLED);
      if (!owner.once) return Write();
      quiet = true;
      if (cancelled && quiet.exchange(false)) Finish(grpc::Status::CANCELLED);
    }
    void OnCancel() override {
      cancelled = true;
      if (quiet.exchange(false)) Finish(grpc::Status::CANCELLED);
    }
    void OnDone() override { delete this; }
    ScriptedReplica& owner;
    v1::WatchReport report;
    std::atomic<bool> cancelled{false}, quiet{false};
  };

  grpc::ServerWriteReactor<v1::WatchReport>* Watch(grpc::CallbackServerContext*,
                                                   const v1::WatchRequest*) override {
    ++watches;
    return new Stream(*this);
  }

  std::atomic<uint32_t> load{150};
  std::atomic<bool> once{false};
  std::atomic<int> watches{0};
  std::string padding;  // of every report
};

const LoadWatchOptions kFast{.interval = milliseconds(100),
                             .stale = milliseconds(300),
                             .first_delay = milliseconds(20),
                             .last_delay = milliseconds(50)};

class WatchingTest : public testing::Test {
 protected:
  void StartReplica(int port = 0) {
    auto server =
        ControlServer::Start({*IpAddress::Parse("127.0.0.1"), static_cast<uint16_t>(port)}, {}, {&replica_});
    ASSERT_TRUE(server.ok()) << server.status();
    server_ = *std::move(server);
  }
  std::vector<std::shared_ptr<grpc::Channel>> Channels() {
    return {ControlChannel({*IpAddress::Parse("127.0.0.1"), static_cast<uint16_t>(server_->port())},
                           CallerCredentials::PlainText())};
  }
  bool Await(const std::function<bool()>& happened) {
    const auto give_up = std::chrono::steady_clock::now() + seconds(20);
    while (!happened()) {
      if (std::chrono::steady_clock::now() > give_up) return false;
      loop_.run_one_for(milliseconds(20));
    }
    return true;
  }
  bool overloaded() const { return fleet_.overloaded().Contains(ToReplicaId(0)); }

  ScriptedReplica replica_;
  std::unique_ptr<ControlServer> server_;
  boost::asio::io_context loop_{1};
  boost::asio::executor_work_guard<boost::asio::io_context::executor_type> work_ =
      boost::asio::make_work_guard(loop_);
  FleetState fleet_{{{.name = "a", .max_requests_per_second = 100}}};
};

TEST(ReadClientRtts, KeepsWholePrefixesAndPossibleTimes) {
  v1::WatchReport report;
  const auto say = [&report](const char* prefix, uint32_t rtt_us) {
    v1::ClientRtt& rtt = *report.add_client_rtt();
    rtt.set_prefix(prefix);
    rtt.set_rtt_us(rtt_us);
  };
  say("192.0.2.0/24", 1234);
  say("2001:db8:0:100::/56", 10'000'000);
  say("192.0.2.0/25", 1);
  say("192.0.0.0/16", 1);
  say("2001:db8::/64", 1);
  say("nowhere", 1);
  say("198.51.100.0/24", 0);
  say("203.0.113.0/24", 10'000'001);
  const auto rtts = ReadClientRtts(report);
  ASSERT_EQ(rtts.size(), 2u);
  EXPECT_EQ(rtts[0].prefix.ToString(), "192.0.2.0/24");
  EXPECT_EQ(rtts[0].rtt, Rtt(1234));
  EXPECT_EQ(rtts[1].prefix.ToString(), "2001:db8:0:100::/56");
}

TEST(ReadBeacons, KeepsAddressesAndTokensAndNoMoreThanTheLimit) {
  v1::WatchReport report;
  const auto say = [&report](const char* client, const char* token) {
    v1::Beacon& beacon = *report.add_beacon();
    beacon.set_client(client);
    beacon.set_token(token);
  };
  say("192.0.2.7", "0123456789-abcdef");
  say("192.0.2.0/24", "0123456789-abcdef");
  say("192.0.2.7", "0123456789_abcdef");
  const auto beacons = ReadBeacons(report);
  ASSERT_EQ(beacons.size(), 1u);
  EXPECT_EQ(beacons[0].client.ToString(), "192.0.2.7");
  EXPECT_EQ(beacons[0].token.text(), "0123456789-abcdef");
  for (int i = 0; i < kMaxBeacons; ++i) say("192.0.2.7", "0123456789-abcdef");
  EXPECT_EQ(ReadBeacons(report).size(), size_t{kMaxBeacons});
}

TEST(ReadClientRtts, TakesNoMoreThanTheLimit) {
  v1::WatchReport report;
  for (int i = 0; i <= kMaxClientRtts; ++i) {
    v1::ClientRtt& rtt = *report.add_client_rtt();
    rtt.set_prefix("192.0.2.0/24");
    rtt.set_rtt_us(1);
  }
  EXPECT_EQ(ReadClientRtts(report).size(), size_t{kMaxClientRtts});
}

TEST_F(WatchingTest, TheLoadIsToldToTheFleetStateHoweverFastTheReportsCome) {
  StartReplica();
  const auto channels = Channels();
  LoadWatch watch(loop_, fleet_, channels, kFast);
  ASSERT_TRUE(Await([&] { return overloaded(); }));
  EXPECT_EQ(fleet_.load(ToReplicaId(0)), 150u);
  replica_.load = 10;
  EXPECT_TRUE(Await([&] { return !overloaded(); }));
}

TEST_F(WatchingTest, AnOldReportSaysNothingAndTheReplicaIsAskedAnew) {
  replica_.once = true;
  StartReplica();
  const auto channels = Channels();
  LoadWatch watch(loop_, fleet_, channels, kFast);
  ASSERT_TRUE(Await([&] { return overloaded(); }));
  EXPECT_TRUE(Await([&] { return !overloaded(); }));
  EXPECT_TRUE(Await([&] { return replica_.watches >= 2 && overloaded(); }));
}

TEST_F(WatchingTest, AReplicaThatComesBackIsWatchedAgain) {
  replica_.padding.assign(100'000, ' ');  // few fit into gRPC's windows, to be heard when the server is gone
  StartReplica();
  const auto channels = Channels();
  const int port = server_->port();
  LoadWatch watch(loop_, fleet_, channels, kFast);
  ASSERT_TRUE(Await([&] { return overloaded(); }));
  server_.reset();
  ASSERT_TRUE(Await([&] { return !overloaded(); }));
  StartReplica(port);
  EXPECT_TRUE(Await([&] { return overloaded(); }));
}

TEST_F(WatchingTest, StopFromAnotherThreadAndEndOnTheLoopsLeaveNothingBehind) {
  StartReplica();
  const auto channels = Channels();
  for (int i = 0; i < 20; ++i) {
    auto watch = std::make_unique<LoadWatch>(loop_, fleet_, channels, kFast);
    auto heartbeat = std::make_unique<Heartbeat>(loop_, fleet_, channels, channels);
    const int watches = replica_.watches;
    ASSERT_TRUE(Await([&] { return replica_.watches > watches; }));
    std::atomic<bool> stopped{false};
    std::thread stopper([&] {
      watch->Stop();
      heartbeat->Stop();
      stopped = true;
    });
    ASSERT_TRUE(Await([&] { return stopped.load(); }));
    stopper.join();
    watch.reset();
    heartbeat.reset();
    loop_.poll();  // what was queued finds nobody
  }
  EXPECT_TRUE(fleet_.healthy().Contains(ToReplicaId(0))) << "cancelled beats are no bad reports";
}

TEST_F(WatchingTest, AHeartbeatMissesADeadPeerAsOftenAsItsOptionsSay) {
  StartReplica();
  const auto channels = Channels();
  Heartbeat heartbeat(loop_, fleet_, channels, channels, {.reports_to_fall = 1, .reports_to_rise = 1});
  ASSERT_TRUE(Await([&] { return fleet_.control_rtt(ToReplicaId(0)) > Rtt::zero(); }));
  const int port = server_->port();
  server_.reset();
  EXPECT_TRUE(Await([&] { return fleet_.healthy().empty() && fleet_.measurable().empty(); }));
  StartReplica(port);
  EXPECT_TRUE(Await([&] { return fleet_.healthy().size() == 1 && fleet_.measurable().size() == 1; }));
}

TEST(ReconnectDelay, DoublesUpToItsLastAndStartsAnew) {
  ReconnectDelay delay(seconds(1), seconds(10));
  for (const int s : {1, 2, 4, 8, 10, 10}) EXPECT_EQ(delay.Next(), seconds(s));
  delay.Reset();
  EXPECT_EQ(delay.Next(), seconds(1));
}

}  // namespace
}  // namespace perigee::dns
