// The client side of grpc.health.v1.Health/Check: is the peer serving, and how far away is it?
#pragma once

#include <grpcpp/grpcpp.h>

#include <chrono>
#include <functional>
#include <memory>

#include "grpc/health/v1/health.grpc.pb.h"
#include "lib/base/clock.h"
#include "lib/rpc/call_group.h"

namespace perigee {

// What one Check said. `rtt` is the call's duration, whatever the answer; zero when nothing answered, or when
// a connection had to be made first.
struct HealthReport {
  bool reachable = false;
  bool serving = false;
  Rtt rtt{};
};

class HealthProbe {
 public:
  explicit HealthProbe(std::shared_ptr<grpc::Channel> channel);

  // Asks once for the server as a whole (service ""). `done` runs exactly once, on a gRPC thread, no later
  // than `timeout` from now (plus scheduling). Thread-safe.
  void Check(std::chrono::milliseconds timeout, std::function<void(HealthReport)> done);

  // Cancels what is under way, and what is asked from now on, and waits for it. Not on a gRPC thread.
  void Stop() { calls_.Stop(); }

 private:
  const std::shared_ptr<grpc::Channel> channel_;
  grpc::health::v1::Health::Stub stub_;
  CallGroup calls_;  // destroyed first: cancels what is under way and waits for it
};

}  // namespace perigee
