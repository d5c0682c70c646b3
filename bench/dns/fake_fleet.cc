// Probers that measure nothing: each answers Measure with a round-trip time of its own, after as long as a
// true one would take, and says SERVING on the same port. Prints its ports, one a line, and serves until it
// is killed.
//
// usage: fake_fleet REPLICAS   (on 127.0.0.2, 127.0.0.3 …)
#include <grpcpp/alarm.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <vector>

#include "fmt/format.h"
#include "lib/rpc/control.h"
#include "perigee/v1/prober.grpc.pb.h"
#include "perigee/v1/replica.grpc.pb.h"

namespace perigee::bench {
namespace {

using std::chrono::microseconds;

constexpr microseconds kNearest(1500), kStep(3000), kBetweenReplicas(20'000), kReplyMargin(300);

class FakeProber final : public v1::Prober::CallbackService {
 public:
  explicit FakeProber(microseconds rtt) : rtt_(rtt) {}

  grpc::ServerUnaryReactor* Measure(grpc::CallbackServerContext* context, const v1::MeasureRequest* request,
                                    v1::MeasureResponse* response) override {
    const microseconds rtt = request->address().starts_with("127.") ? kBetweenReplicas : rtt_;
    response->set_method(v1::METHOD_ICMP_ECHO);
    response->set_sent(1);
    response->add_rtt_us(static_cast<uint32_t>(rtt.count()));
    response->set_min_rtt_us(static_cast<uint32_t>(rtt.count()));
    auto* reactor = context->DefaultReactor();
    auto* alarm = new grpc::Alarm;  // owned by its callback
    alarm->Set(std::chrono::system_clock::now() + rtt + kReplyMargin, [reactor, alarm](bool) {
      reactor->Finish(grpc::Status::OK);
      delete alarm;
    });
    return reactor;
  }

 private:
  const microseconds rtt_;
};

// Reports an idle replica, at the interval asked for.
class Watching final : public grpc::ServerWriteReactor<v1::WatchReport> {
 public:
  explicit Watching(std::chrono::milliseconds interval) : interval_(interval) { StartWrite(&report_); }

  void OnWriteDone(bool ok) override {
    if (!ok) return Finish(grpc::Status::CANCELLED);
    alarm_.Set(std::chrono::system_clock::now() + interval_, [this](bool fired) {
      if (fired) return StartWrite(&report_);
      Finish(grpc::Status::CANCELLED);
    });
  }
  void OnCancel() override { alarm_.Cancel(); }
  void OnDone() override { delete this; }

 private:
  const std::chrono::milliseconds interval_;
  const v1::WatchReport report_;
  grpc::Alarm alarm_;
};

class FakeReplica final : public v1::Replica::CallbackService {
 public:
  grpc::ServerWriteReactor<v1::WatchReport>* Watch(grpc::CallbackServerContext*,
                                                   const v1::WatchRequest* request) override {
    return new Watching(
        std::chrono::milliseconds(request->interval_ms() == 0 ? 1000 : request->interval_ms()));
  }
};

struct Host {
  explicit Host(microseconds rtt) : prober(rtt) {}
  FakeProber prober;
  FakeReplica replica;
  std::unique_ptr<ControlServer> server;
};

int Run(int replicas) {
  std::vector<std::unique_ptr<Host>> hosts;
  for (int i = 0; i < replicas; ++i) {
    auto host = std::make_unique<Host>(kNearest + i * kStep);
    const IpEndpoint listen = *IpEndpoint::Parse(fmt::format("127.0.0.{}:0", i + 2));
    auto server = ControlServer::Start(listen, {}, {&host->prober, &host->replica});
    if (!server.ok()) {
      std::fprintf(stderr, "fake_fleet: %s\n", std::string(server.status().message()).c_str());
      return 1;
    }
    host->server = *std::move(server);
    std::printf("%d\n", host->server->port());
    hosts.push_back(std::move(host));
  }
  std::fflush(stdout);
  while (true) pause();
}

}  // namespace
}  // namespace perigee::bench

int main(int argc, char** argv) {
  const int replicas = argc == 2 ? std::atoi(argv[1]) : 0;
  if (replicas < 1 || replicas > 64) {
    std::fprintf(stderr, "usage: fake_fleet REPLICAS\n");
    return 2;
  }
  return perigee::bench::Run(replicas);
}
