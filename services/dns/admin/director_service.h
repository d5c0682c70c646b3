// The Director gRPC service: the map and the fleet as an operator sees them.
#pragma once

#include "perigee/v1/director.grpc.pb.h"
#include "services/dns/director/known_clients.h"
#include "services/dns/fleet/fleet_state.h"

namespace perigee::dns {

// Pure: the responses from what is known. InvalidArgument when the client is not an address.
absl::StatusOr<v1::ExplainResponse> Explain(const std::string& client, const KnownClients& clients,
                                            const FleetState& fleet, const SteeringOptions& options);
v1::ListReplicasResponse ListReplicas(const FleetState& fleet);

class DirectorService final : public v1::Director::CallbackService {
 public:
  DirectorService(const KnownClients& clients, const FleetState& fleet, const SteeringOptions& options)
      : clients_(clients), fleet_(fleet), options_(options) {}

  grpc::ServerUnaryReactor* Explain(grpc::CallbackServerContext* context, const v1::ExplainRequest* request,
                                    v1::ExplainResponse* response) override;
  grpc::ServerUnaryReactor* ListReplicas(grpc::CallbackServerContext* context,
                                         const v1::ListReplicasRequest* request,
                                         v1::ListReplicasResponse* response) override;

 private:
  const KnownClients& clients_;
  const FleetState& fleet_;
  const SteeringOptions& options_;
};

}  // namespace perigee::dns
