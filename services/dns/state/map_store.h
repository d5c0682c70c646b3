// The map in the state file: which rows are written, and what is made of them at the next start.
#pragma once

#include <chrono>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "lib/base/clock.h"
#include "lib/sqlite/sqlite.h"
#include "services/dns/map/rtt_map.h"
#include "services/dns/state/row_codec.h"

namespace perigee::dns {

// Rows of one transaction: some milliseconds, so that an operator's state never waits for long.
inline constexpr size_t kRowsPerTransaction = 4096;

// For one thread at a time.
class MapStore {
 public:
  // `names`: the fleet's, by ReplicaId; those new to the file are added to it. `database`: a connection to
  // the state file. References must outlive this.
  static absl::StatusOr<std::unique_ptr<MapStore>> Open(sqlite::Database database,
                                                        std::span<const std::string> names,
                                                        const Clock& clock);

  struct Loaded {
    size_t rows = 0;     // now in the map
    size_t dropped = 0;  // older than `hard_age`, senseless, or only of replicas that are gone
  };
  // Puts what was saved into the map, which nobody else writes to meanwhile. The map's epoch must be
  // `hard_age` in the past at least. DataLoss when the file turns out to be damaged; what was read until then
  // is in the map.
  absl::StatusOr<Loaded> Load(RttMap& map, std::chrono::seconds hard_age);

  // Writes the rows that were put since, in transactions of kRowsPerTransaction, and returns how many. On an
  // error what was not written stays to be written.
  absl::StatusOr<size_t> Save(RttMap& map);

  sqlite::Database& database() { return database_; }

 private:
  MapStore(sqlite::Database database, const Clock& clock) : database_(std::move(database)), clock_(clock) {}
  absl::Status NumberReplicas(std::span<const std::string> names);
  absl::Status ForgetAll();
  absl::Status SaveSlots(const RttMap& map, std::span<const size_t> slots);
  ClockPair Now() const { return {clock_.Now(), clock_.WallNow()}; }

  sqlite::Database database_;
  const Clock& clock_;
  std::vector<ReplicaNumber> numbers_;         // by ReplicaId
  std::vector<std::optional<ReplicaId>> ids_;  // by ReplicaNumber
  sqlite::Statement put_;
};

}  // namespace perigee::dns
