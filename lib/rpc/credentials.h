// Mutual TLS on the control ports: the credentials to serve by and to call with.
//
// Beyond loopback a control port speaks mutual TLS, or the operator has said --insecure-control: a prober
// that anyone may call is a packet cannon. With TLS the role that the peer's certificate says decides what it
// may call (roles.h). Certificates are read again while they are in use: new connections show and trust what
// the files hold then, connections that are open go on.
#pragma once

#include <grpcpp/grpcpp.h>

#include <chrono>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "lib/base/address.h"
#include "lib/rpc/roles.h"

namespace perigee {

struct ControlSecurity {
  // PEM files; all three or none.
  std::string ca_file;
  std::string certificate_file;
  std::string key_file;
  // --insecure-control: plain text beyond loopback.
  bool insecure = false;
  // How often the files are looked at. A key without its certificate, caught between two writes, fails new
  // connections for as long.
  std::chrono::seconds refresh{5};

  bool has_tls() const { return !ca_file.empty(); }
  friend bool operator==(const ControlSecurity&, const ControlSecurity&) = default;
};

// InvalidArgument, saying what to do, when `listen` is beyond loopback without TLS and not `insecure`, and
// when the files do not hold a certificate, its key and an authority. `refused`, where given, counts, and
// outlives the server.
absl::StatusOr<std::shared_ptr<grpc::ServerCredentials>> ServerCredentialsFor(const IpEndpoint& listen,
                                                                              const ControlSecurity& security,
                                                                              RefusedCalls* refused);

// What a caller shows and trusts on its channels (ControlChannel). Cheap to copy; thread-safe.
class CallerCredentials {
 public:
  static CallerCredentials PlainText() { return {}; }
  // As ServerCredentialsFor; plain text where `security` has no TLS.
  static absl::StatusOr<CallerCredentials> For(const ControlSecurity& security);

 private:
  friend std::shared_ptr<grpc::Channel> ControlChannel(const IpEndpoint& peer,
                                                       const CallerCredentials& credentials);
  struct Files;

  // For one channel, which keeps one subchannel for life, and for no second.
  std::shared_ptr<grpc::ChannelCredentials> ForOneChannel() const;

  std::shared_ptr<Files> files_;  // null: plain text
};

}  // namespace perigee
