// The control port: one gRPC server with health, reflection and mutual TLS, and the credentials to call one.
//
// Beyond loopback a control port speaks mutual TLS, or the operator has said --insecure-control: a prober
// that anyone may call is a packet cannon. gRPC types stop at the edge of a service; this is that edge.
#pragma once

#include <grpcpp/grpcpp.h>

#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "lib/base/address.h"

namespace perigee {

struct ControlSecurity {
  // PEM files; all three or none.
  std::string ca_file;
  std::string certificate_file;
  std::string key_file;
  // --insecure-control: plain text beyond loopback.
  bool insecure = false;

  bool has_tls() const { return !ca_file.empty(); }
};

// InvalidArgument, saying what to do, when `listen` is beyond loopback without TLS and not `insecure`.
absl::StatusOr<std::shared_ptr<grpc::ServerCredentials>> ServerCredentialsFor(
    const IpEndpoint& listen, const ControlSecurity& security);

absl::StatusOr<std::shared_ptr<grpc::ChannelCredentials>> ChannelCredentialsFor(
    const ControlSecurity& security);

// A channel to one peer's control port, on a connection of its own that is made again at once (within a
// second) when it is lost.
std::shared_ptr<grpc::Channel> ControlChannel(const IpEndpoint& peer,
                                              const std::shared_ptr<grpc::ChannelCredentials>& credentials);

// Between gRPC's status and ours; the codes have the same numbers.
grpc::Status ToGrpcStatus(const absl::Status& status);
absl::Status FromGrpcStatus(const grpc::Status& status);

// A running control server. Thread-safe.
class ControlServer {
 public:
  // Starts serving `services` (not owned; they must outlive the server), with health ("" is SERVING) and
  // reflection. Unavailable, naming the address, when the port is in use.
  static absl::StatusOr<std::unique_ptr<ControlServer>> Start(const IpEndpoint& listen,
                                                              const ControlSecurity& security,
                                                              const std::vector<grpc::Service*>& services);
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
