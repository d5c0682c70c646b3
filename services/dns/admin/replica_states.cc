#include "services/dns/admin/replica_states.h"

#include "fmt/format.h"
#include "lib/log/log.h"

namespace perigee::dns {

absl::StatusOr<v1::SetReplicaStateResponse> SetReplicaState(const v1::SetReplicaStateRequest& request,
                                                            FleetState& fleet,
                                                            const SaveOperatorState& save) {
  const auto id = fleet.Find(request.replica());
  if (!id) {
    return absl::NotFoundError(
        fmt::format("no replica is called \"{}\"; `cdnctl status` lists them", request.replica()));
  }
  if (!v1::OperatorState_IsValid(request.state())) {
    return absl::InvalidArgumentError(fmt::format("{} is no state", static_cast<int>(request.state())));
  }
  const auto state = static_cast<OperatorState>(request.state());
  if (save) {
    if (absl::Status status = save(request.replica(), state); !status.ok()) return status;
  }
  const OperatorState previous = fleet.operator_state(*id);
  fleet.SetOperatorState(*id, state);
  LogWarning(LogModule::kDnsAdmin, {{"replica", request.replica()}, {"state", Word(state)}},
             "replica {} is set to {} by an operator, from {}", request.replica(), Word(state),
             Word(previous));
  v1::SetReplicaStateResponse response;
  response.set_previous(static_cast<v1::OperatorState>(previous));
  return response;
}

void FillLoadAndState(const FleetState& fleet, ReplicaId id, v1::ReplicaState* state) {
  state->set_operator_state(static_cast<v1::OperatorState>(fleet.operator_state(id)));
  state->set_requests_per_second(fleet.load(id));
  state->set_overloaded(fleet.overloaded().Contains(id));
  state->set_distrusted(fleet.distrusted().Contains(id));
  state->set_weight(fleet.info(id).weight);
}

}  // namespace perigee::dns
