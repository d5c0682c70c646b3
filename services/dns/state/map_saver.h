// Saves the map each second, on a thread of its own.
#pragma once

#include <chrono>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>

#include "lib/base/clock.h"
#include "services/dns/state/map_store.h"
#include "services/dns/telemetry/server_counters.h"

namespace perigee::dns {

inline constexpr auto kSaveInterval = std::chrono::seconds(1);
inline constexpr auto kSaveWarningInterval = std::chrono::minutes(1);

// Pure: one warning a minute of what goes wrong each second.
class WarningPace {
 public:
  bool Due(MonoTime now);

 private:
  std::optional<MonoTime> last_;
};

class MapSaver {
 public:
  // `map`, `clock` and `counters` must outlive this; without the last nobody counts.
  MapSaver(std::unique_ptr<MapStore> store, RttMap& map, const Clock& clock, SaveCounters* counters = nullptr,
           std::chrono::milliseconds interval = kSaveInterval);
  // Saves once more.
  ~MapSaver();

 private:
  void Run();
  void SaveOnce();

  const std::unique_ptr<MapStore> store_;
  RttMap& map_;
  const Clock& clock_;
  SaveCounters* const counters_;
  const std::chrono::milliseconds interval_;
  WarningPace warnings_;
  std::mutex mutex_;
  std::condition_variable wake_;
  bool stopping_ = false;  // guarded by mutex_
  std::thread thread_;
};

// Opens the store of `names` in `file`, puts what was saved into `map`, and goes on saving. A file that turns
// out to be damaged is set aside. Logs what came of it.
class StateFile;
absl::StatusOr<std::unique_ptr<MapSaver>> RestoreMap(StateFile& file, std::span<const std::string> names,
                                                     RttMap& map, std::chrono::seconds hard_age,
                                                     const Clock& clock, SaveCounters* counters = nullptr);

}  // namespace perigee::dns
