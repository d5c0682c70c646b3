#include "services/dns/generation/map_copy.h"

#include <algorithm>
#include <optional>

namespace perigee::dns {
namespace {

// How much older than its oldest row a map's epoch is.
constexpr auto kEpochSlack = std::chrono::minutes(1);
// What a map's times are rounded down to.
constexpr auto kMapTick = std::chrono::seconds(1);

// Rows as another fleet numbers the replicas.
class Renumbering {
 public:
  Renumbering(const v1::FleetConfig& from, const v1::FleetConfig& to)
      : count_(static_cast<size_t>(to.replica_size())) {
    for (const auto& old : from.replica()) {
      const auto it = std::find_if(to.replica().begin(), to.replica().end(),
                                   [&](const v1::ReplicaConfig& next) { return next.name() == old.name(); });
      ids_.push_back(it == to.replica().end()
                         ? std::nullopt
                         : std::optional(ToReplicaId(static_cast<size_t>(it - to.replica().begin()))));
    }
  }

  // Nothing when the decided replica is gone.
  std::optional<MapRow> Of(const MapRow& row) const {
    const auto decided = ids_[Index(row.decision.replica)];
    if (!decided) return std::nullopt;
    MapRow next{.decision = {*decided, row.decision.reason},
                .measured_at = row.measured_at,
                .samples = Samples(std::max(count_, kWholeFleet))};
    for (size_t i = 0; i < ids_.size(); ++i) {
      if (ids_[i]) next.samples[Index(*ids_[i])] = row.samples[i];
    }
    return next;
  }

 private:
  const size_t count_;  // of the replicas that there are now
  std::vector<std::optional<ReplicaId>> ids_;
};

}  // namespace

std::shared_ptr<RttMap> MakeMap(const v1::FleetConfig& fleet, const Clock& clock) {
  const auto oldest = std::chrono::seconds(fleet.steering().hard_age_seconds()) + kEpochSlack;
  return std::make_shared<RttMap>(static_cast<size_t>(fleet.replica_size()), fleet.steering().max_prefixes(),
                                  clock.Now() - oldest);
}

bool SameMap(const v1::FleetConfig& before, const v1::FleetConfig& after) {
  const auto same_name = [](const v1::ReplicaConfig& a, const v1::ReplicaConfig& b) {
    return a.name() == b.name();
  };
  return before.steering().max_prefixes() == after.steering().max_prefixes() &&
         before.steering().hard_age_seconds() == after.steering().hard_age_seconds() &&
         std::equal(before.replica().begin(), before.replica().end(), after.replica().begin(),
                    after.replica().end(), same_name);
}

void CopyRows(const v1::FleetConfig& from_fleet, const RttMap& from, const v1::FleetConfig& to_fleet,
              RttMap& to) {
  const Renumbering renumbering(from_fleet, to_fleet);
  IpPrefix prefix;
  MapRow row;
  for (size_t slot = 0; slot < from.capacity(); ++slot) {
    if (!from.ReadSlot(slot, &prefix, &row)) continue;
    if (const auto next = renumbering.Of(row)) to.Put(prefix, *next);
  }
}

std::vector<PrefixRow> RowsSince(MonoTime since, const v1::FleetConfig& from_fleet, const RttMap& from,
                                 const v1::FleetConfig& to_fleet) {
  const Renumbering renumbering(from_fleet, to_fleet);
  std::vector<PrefixRow> rows;
  IpPrefix prefix;
  MapRow row;
  for (size_t slot = 0; slot < from.capacity(); ++slot) {
    if (!from.ReadSlot(slot, &prefix, &row) || row.measured_at <= since - kMapTick) continue;
    if (const auto next = renumbering.Of(row)) rows.push_back({prefix, *next});
  }
  return rows;
}

void PutNewer(std::span<const PrefixRow> rows, RttMap& to) {
  MapHit known;
  for (const auto& [prefix, row] : rows) {
    // A tick apart at least: both times have been rounded down.
    if (to.Find(prefix, &known) && row.measured_at < known.measured_at + kMapTick) continue;
    to.Put(prefix, row);
  }
}

}  // namespace perigee::dns
