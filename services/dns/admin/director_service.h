// The Director gRPC service: the map and the fleet as an operator sees them.
#pragma once

#include <functional>
#include <memory>
#include <utility>

#include "perigee/v1/director.grpc.pb.h"
#include "services/dns/director/known_clients.h"
#include "services/dns/fleet/fleet_state.h"

namespace perigee::dns {

// What is served now.
struct DirectorView {
  const KnownClients& clients;
  const FleetState& fleet;
  const SteeringOptions& options;
  MonoTime now;
  std::shared_ptr<const void> keep;  // keeps the others alive
};

// Pure: the responses from what is known. InvalidArgument when the client is not an address.
absl::StatusOr<v1::ExplainResponse> Explain(const std::string& client, const DirectorView& view);
v1::ListReplicasResponse ListReplicas(const FleetState& fleet);

// What the service asks of the server. Thread-safe; errors as director.proto has them.
class DirectorBackend {
 public:
  virtual ~DirectorBackend() = default;
  virtual DirectorView View() const = 0;
  virtual absl::StatusOr<v1::SetReplicaStateResponse> SetReplicaState(
      const v1::SetReplicaStateRequest& request) = 0;
  // `done` runs once, on another thread.
  virtual void Reload(std::function<void(absl::StatusOr<v1::ReloadResponse>)> done) = 0;
};

class DirectorService final : public v1::Director::CallbackService {
 public:
  // Adds what the server knows of itself. Thread-safe.
  using About = std::function<void(v1::ListReplicasResponse*)>;

  // `backend` outlives this.
  DirectorService(DirectorBackend& backend, About about) : backend_(backend), about_(std::move(about)) {}

  grpc::ServerUnaryReactor* Explain(grpc::CallbackServerContext* context, const v1::ExplainRequest* request,
                                    v1::ExplainResponse* response) override;
  grpc::ServerUnaryReactor* ListReplicas(grpc::CallbackServerContext* context,
                                         const v1::ListReplicasRequest* request,
                                         v1::ListReplicasResponse* response) override;
  grpc::ServerUnaryReactor* SetReplicaState(grpc::CallbackServerContext* context,
                                            const v1::SetReplicaStateRequest* request,
                                            v1::SetReplicaStateResponse* response) override;
  grpc::ServerUnaryReactor* Reload(grpc::CallbackServerContext* context, const v1::ReloadRequest* request,
                                   v1::ReloadResponse* response) override;

 private:
  DirectorBackend& backend_;
  const About about_;
};

}  // namespace perigee::dns
