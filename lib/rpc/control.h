// The control port: one gRPC server with health, reflection and mutual TLS (credentials.h), and channels to
// call one. gRPC types stop at the edge of a service; this is that edge.
#pragma once

#include <grpcpp/grpcpp.h>

#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "lib/base/address.h"
#include "lib/rpc/credentials.h"
#include "lib/rpc/roles.h"

namespace perigee {

// A channel to one peer's control port, on a connection of its own that is made again at once (within a
// second) when it is lost.
std::shared_ptr<grpc::Channel> ControlChannel(const IpEndpoint& peer, const CallerCredentials& credentials);

// Between gRPC's status and ours; the codes have the same numbers.
grpc::Status ToGrpcStatus(const absl::Status& status);
absl::Status FromGrpcStatus(const grpc::Status& status);

// A running control server. Thread-safe.
class ControlServer {
 public:
  // Starts serving `services` (not owned; they must outlive the server), with health ("" is SERVING) and
  // reflection. `refused`, where given, counts the calls that were refused for their caller's role, and
  // outlives the server. Unavailable, naming the address, when the port is in use.
  static absl::StatusOr<std::unique_ptr<ControlServer>> Start(const IpEndpoint& listen,
                                                              const ControlSecurity& security,
                                                              const std::vector<grpc::Service*>& services,
                                                              RefusedCalls* refused = nullptr);
  // Calls under way are cancelled after a second's grace.
  ~ControlServer();

  // The port in use; differs from the one asked for when that was 0.
  int port() const { return port_; }

  // What grpc.health.v1 answers for `service`; "" is the server as a whole.
  void SetServing(const std::string& service, bool serving);

 private:
  ControlServer() = default;
  std::unique_ptr<grpc::Server> server_;
  int port_ = 0;
};

}  // namespace perigee
