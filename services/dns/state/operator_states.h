// The operators' states of replicas in the state file, by name.
#pragma once

#include <memory>
#include <mutex>
#include <string>

#include "absl/status/statusor.h"
#include "services/dns/fleet/fleet_state.h"
#include "services/dns/state/state_file.h"

namespace perigee::dns {

// Thread-safe.
class OperatorStates {
 public:
  // `file` must outlive this.
  static absl::StatusOr<std::unique_ptr<OperatorStates>> Open(const StateFile& file);

  // Sets what was saved for replicas of the fleet; the words of others stay in the file.
  absl::Status Load(FleetState& fleet);
  // On the disk when it returns. Unavailable when it can't be written; then the last state stays saved.
  absl::Status Save(const std::string& replica, OperatorState state);

 private:
  explicit OperatorStates(sqlite::Database database) : database_(std::move(database)) {}

  std::mutex mutex_;
  sqlite::Database database_;  // guarded by mutex_
};

}  // namespace perigee::dns
