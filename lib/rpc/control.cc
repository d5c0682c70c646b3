#include "lib/rpc/control.h"

#include <grpc/support/log.h>
#include <grpcpp/ext/proto_server_reflection_plugin.h>
#include <grpcpp/health_check_service_interface.h>

#include <chrono>
#include <limits>

#include "fmt/format.h"
#include "grpc/health/v1/health.pb.h"
#include "lib/log/log.h"

namespace perigee {
namespace {

constexpr auto kStopGrace = std::chrono::seconds(1);
// Control messages are small; a peer that sends more is broken or hostile.
constexpr int kMaxMessageBytes = 1 << 20;

constexpr int kReconnectMs = 1000;
// gRPC's "minimum back-off" is also what a connection attempt, TLS included, may take.
constexpr int kConnectTimeoutMs = 3000;

// gRPC's own lines repeat, at length, what our errors say in one: they are for those who debug gRPC.
void LogFromGrpc(gpr_log_func_args* line) { LogDebug(LogModule::kRpc, {}, "grpc: {}", line->message); }

}  // namespace

std::shared_ptr<grpc::Channel> ControlChannel(const IpEndpoint& peer, const CallerCredentials& credentials) {
  grpc::ChannelArguments arguments;
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  // One subchannel for life (ForOneChannel says why): "pick_first" makes a new one after every
  // connection, an idle channel when it is used again.
  arguments.SetLoadBalancingPolicyName("round_robin");
  arguments.SetInt(GRPC_ARG_CLIENT_IDLE_TIMEOUT_MS, std::numeric_limits<int>::max());
  arguments.SetInt(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, kReconnectMs);
  arguments.SetInt(GRPC_ARG_MIN_RECONNECT_BACKOFF_MS, kConnectTimeoutMs);
  arguments.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, kReconnectMs);
  arguments.SetInt(GRPC_ARG_ENABLE_HTTP_PROXY, 0);
  arguments.SetMaxReceiveMessageSize(kMaxMessageBytes);
  return grpc::CreateCustomChannel(peer.ToString(), credentials.ForOneChannel(), arguments);
}

grpc::Status ToGrpcStatus(const absl::Status& status) {
  return {static_cast<grpc::StatusCode>(status.code()), std::string(status.message())};
}

absl::Status FromGrpcStatus(const grpc::Status& status) {
  return {static_cast<absl::StatusCode>(status.error_code()), status.error_message()};
}

absl::StatusOr<std::unique_ptr<ControlServer>> ControlServer::Start(
    const IpEndpoint& listen, const ControlSecurity& security, const std::vector<grpc::Service*>& services,
    RefusedCalls* refused) {
  auto credentials = ServerCredentialsFor(listen, security, refused);
  if (!credentials.ok()) return credentials.status();
  gpr_set_log_function(LogFromGrpc);
  grpc::EnableDefaultHealthCheckService(true);
  grpc::reflection::InitProtoReflectionServerBuilderPlugin();
  grpc::health::v1::HealthCheckRequest::descriptor();  // linked, so that reflection can describe the service
  grpc::ServerBuilder builder;
  std::unique_ptr<ControlServer> control(new ControlServer);
  builder.AddListeningPort(listen.ToString(), *credentials, &control->port_);
  // Without this a second process would share the port in silence.
  builder.AddChannelArgument(GRPC_ARG_ALLOW_REUSEPORT, 0);
  builder.SetMaxReceiveMessageSize(kMaxMessageBytes);
  for (grpc::Service* service : services) builder.RegisterService(service);
  control->server_ = builder.BuildAndStart();
  if (control->server_ == nullptr || control->port_ == 0) {
    return absl::UnavailableError(fmt::format(
        "control port {}: already in use, not an address of this host, or below 1024 and not root's",
        listen.ToString()));
  }
  return control;
}

ControlServer::~ControlServer() {
  if (server_ == nullptr) return;
  server_->Shutdown(std::chrono::system_clock::now() + kStopGrace);
  server_->Wait();
}

void ControlServer::SetServing(const std::string& service, bool serving) {
  server_->GetHealthCheckService()->SetServingStatus(service, serving);
}

}  // namespace perigee
