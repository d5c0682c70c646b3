#include "services/dns/state/operator_states.h"

#include <utility>

#include "fmt/format.h"
#include "lib/log/log.h"

namespace perigee::dns {

absl::StatusOr<std::unique_ptr<OperatorStates>> OperatorStates::Open(const StateFile& file) {
  auto database = file.Connect(/*durable=*/true);
  if (!database.ok()) return database.status();
  return std::unique_ptr<OperatorStates>(new OperatorStates(*std::move(database)));
}

absl::Status OperatorStates::Load(FleetState& fleet) {
  const std::lock_guard lock(mutex_);
  auto rows = database_.Prepare("SELECT replica, state FROM operator_state");
  if (!rows.ok()) return rows.status();
  absl::StatusOr<bool> more = false;
  while ((more = rows->Step()).ok() && *more) {
    const auto id = fleet.Find(rows->Text(0));
    const int64_t state = rows->Number(1);
    if (!id || state < 0 || state > static_cast<int64_t>(OperatorState::kForceUp)) continue;
    fleet.SetOperatorState(*id, static_cast<OperatorState>(state));
    const std::string& name = fleet.info(*id).name;
    LogWarning(LogModule::kDnsState, {{"replica", name}}, "replica {} is still set to {} by an operator",
               name, Word(static_cast<OperatorState>(state)));
  }
  return more.status();
}

absl::Status OperatorStates::Save(const std::string& replica, OperatorState state) {
  const std::lock_guard lock(mutex_);
  const bool none = state == OperatorState::kAuto;
  auto write = database_.Prepare(none ? "DELETE FROM operator_state WHERE replica = ?"
                                      : "INSERT OR REPLACE INTO operator_state(replica, state) VALUES(?, ?)");
  absl::Status status = write.status();
  if (status.ok()) {
    write->BindText(1, replica);
    if (!none) write->Bind(2, static_cast<int64_t>(state));
    status = write->Run();
  }
  if (status.ok()) return status;
  const std::string why(status.message());
  return absl::UnavailableError(
      fmt::format("the state of {} is not saved, and so does not hold: {}", replica, why));
}

}  // namespace perigee::dns
