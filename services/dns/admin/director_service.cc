#include "services/dns/admin/director_service.h"

#include <utility>

#include "lib/rpc/control.h"
#include "services/dns/admin/replica_states.h"

namespace perigee::dns {

absl::StatusOr<v1::ExplainResponse> Explain(const std::string& client, const DirectorView& view) {
  const auto address = IpAddress::Parse(client);
  if (!address.ok()) return address.status();
  const ClientKey key = KeyOf(*address);
  const FleetState& fleet = view.fleet;
  v1::ExplainResponse response;
  response.set_prefix(key.prefix.ToString());
  KnownClient known;
  MapRow row;
  if (view.clients.Find(key, view.now, &known, &row)) {
    response.set_known(known.in_map);
    if (!view.options.Fails(known.decision)) response.set_replica(fleet.info(known.decision.replica).name);
    response.set_reason(static_cast<v1::Reason>(known.decision.reason));
    response.set_age_seconds(static_cast<uint64_t>(known.age.count()));
    response.set_ttl_seconds(static_cast<uint32_t>(view.options.ttl(known.decision.reason).count()));
    response.set_scope_length(static_cast<uint32_t>(known.scope_length));
    response.set_stale(known.stale);
  }
  ReplicaSet explorable;
  if (known.in_map) {
    explorable = view.clients.Explorables(key, known.decision, {row.samples.data(), fleet.size()});
  }
  const ReplicaSet healthy = fleet.healthy(), overloaded = fleet.overloaded(),
                   distrusted = fleet.distrusted();
  for (size_t i = 0; i < fleet.size(); ++i) {
    v1::ReplicaRtt& rtt = *response.add_rtts();
    rtt.set_replica(fleet.info(ToReplicaId(i)).name);
    rtt.set_method(static_cast<v1::Method>(row.samples[i].method));
    rtt.set_rtt_us(static_cast<uint32_t>(row.samples[i].rtt.count()));
    rtt.set_healthy(healthy.Contains(ToReplicaId(i)));
    rtt.set_overloaded(overloaded.Contains(ToReplicaId(i)));
    rtt.set_distrusted(distrusted.Contains(ToReplicaId(i)));
    rtt.set_explorable(explorable.Contains(ToReplicaId(i)));
    rtt.set_operator_state(static_cast<v1::OperatorState>(fleet.operator_state(ToReplicaId(i))));
  }
  return response;
}

v1::ListReplicasResponse ListReplicas(const FleetState& fleet) {
  v1::ListReplicasResponse response;
  const ReplicaSet servers = fleet.up(Part::kServer), probers = fleet.measurable();
  const ReplicaDistances distances = fleet.distances();
  for (size_t i = 0; i < fleet.size(); ++i) {
    const ReplicaId id = ToReplicaId(i);
    const ReplicaInfo& info = fleet.info(id);
    v1::ReplicaState& state = *response.add_replicas();
    state.set_name(info.name);
    if (info.ipv4) state.set_ipv4(info.ipv4->ToString());
    if (info.ipv6) state.set_ipv6(info.ipv6->ToString());
    const bool forced = fleet.operator_state(id) == OperatorState::kForceUp;
    state.set_healthy(fleet.healthy().Contains(id) && (forced || probers.Contains(id)));
    state.set_prober_healthy(probers.Contains(id));
    state.set_server_healthy(servers.Contains(id));
    for (size_t other = 0; other < fleet.size(); ++other) {
      const bool known = distances.Between(id, ToReplicaId(other)) > Rtt::zero();
      state.set_distances_known(state.distances_known() + known);
    }
    FillLoadAndState(fleet, id, &state);
    state.set_control_rtt_us(static_cast<uint32_t>(fleet.control_rtt(id).count()));
  }
  return response;
}

namespace {

template <typename Response>
grpc::ServerUnaryReactor* Finish(grpc::CallbackServerContext* context, absl::StatusOr<Response> result,
                                 Response* response) {
  auto* reactor = context->DefaultReactor();
  const absl::Status status = result.status();
  if (result.ok()) *response = *std::move(result);
  reactor->Finish(ToGrpcStatus(status));
  return reactor;
}

}  // namespace

grpc::ServerUnaryReactor* DirectorService::Explain(grpc::CallbackServerContext* context,
                                                   const v1::ExplainRequest* request,
                                                   v1::ExplainResponse* response) {
  return Finish(context, dns::Explain(request->client(), backend_.View()), response);
}

grpc::ServerUnaryReactor* DirectorService::ListReplicas(grpc::CallbackServerContext* context,
                                                        const v1::ListReplicasRequest*,
                                                        v1::ListReplicasResponse* response) {
  v1::ListReplicasResponse list = dns::ListReplicas(backend_.View().fleet);
  about_(&list);
  return Finish(context, absl::StatusOr<v1::ListReplicasResponse>(std::move(list)), response);
}

grpc::ServerUnaryReactor* DirectorService::SetReplicaState(grpc::CallbackServerContext* context,
                                                           const v1::SetReplicaStateRequest* request,
                                                           v1::SetReplicaStateResponse* response) {
  return Finish(context, backend_.SetReplicaState(*request), response);
}

grpc::ServerUnaryReactor* DirectorService::Reload(grpc::CallbackServerContext* context,
                                                  const v1::ReloadRequest*, v1::ReloadResponse* response) {
  auto* reactor = context->DefaultReactor();
  backend_.Reload([reactor, response](absl::StatusOr<v1::ReloadResponse> result) {
    const absl::Status status =
        result.ok() ? absl::OkStatus() : absl::FailedPreconditionError(result.status().message());
    if (result.ok()) *response = *std::move(result);
    reactor->Finish(ToGrpcStatus(status));
  });
  return reactor;
}

}  // namespace perigee::dns
