// What an operator says of a replica, and what is shown of it: the logic of SetReplicaState.
#pragma once

#include <functional>
#include <string>

#include "absl/status/statusor.h"
#include "perigee/v1/director.pb.h"
#include "services/dns/fleet/fleet_state.h"

namespace perigee::dns {

// Makes a state outlive the process (state/operator_states.h). Empty when there is no state file.
using SaveOperatorState = std::function<absl::Status(const std::string& replica, OperatorState state)>;

// Saves the state and then sets it, so that what cannot be saved does not hold either. Errors as
// director.proto has them. One call at a time.
absl::StatusOr<v1::SetReplicaStateResponse> SetReplicaState(const v1::SetReplicaStateRequest& request,
                                                            FleetState& fleet, const SaveOperatorState& save);

// Operator state, load, overload and weight.
void FillLoadAndState(const FleetState& fleet, ReplicaId id, v1::ReplicaState* state);

}  // namespace perigee::dns
