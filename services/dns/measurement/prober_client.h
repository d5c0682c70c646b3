// Calls Measure on the probers of all replicas; gRPC stops here.
#pragma once

#include <grpcpp/grpcpp.h>

#include <chrono>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include "lib/base/address.h"
#include "lib/rpc/call_group.h"
#include "perigee/v1/prober.grpc.pb.h"
#include "services/dns/steering/choose.h"

namespace perigee::dns {

class ProberClient {
 public:
  struct Request {
    IpAddress address;
    uint32_t probes = 1;
    std::vector<uint16_t> tcp_ports;  // empty: the prober's default
  };

  // One channel per replica, in the order of the fleet file.
  explicit ProberClient(std::span<const std::shared_ptr<grpc::Channel>> channels);

  // `done` runs exactly once, on a gRPC thread, no later than the deadline plus scheduling. It gets a bare
  // Sample (method kUnknown) when the call failed or the answer makes no sense. Thread-safe; the destructor
  // cancels what is under way, runs its `done`, and waits. After Stop `done` gets a bare Sample at once, on
  // the calling thread.
  void Measure(ReplicaId replica, const Request& request, std::chrono::milliseconds deadline,
               std::function<void(const Sample&)> done);

  // Cancels what is under way, runs its `done`, and returns when all have run; nothing is sent from here on.
  // To be called once, and not on a gRPC thread nor, should a `done` wait for it, on that one.
  void Stop();

 private:
  std::vector<std::unique_ptr<v1::Prober::Stub>> stubs_;
  std::mutex mutex_;  // guards stopped_; held while a call joins the group
  bool stopped_ = false;
  std::optional<CallGroup> calls_{std::in_place};
};

// What a response says, or a bare Sample when it contradicts itself: a method that is no measurement, no
// time, or a time longer than the deadline of the call.
Sample ReadMeasureResponse(const v1::MeasureResponse& response, std::chrono::milliseconds deadline);

}  // namespace perigee::dns
