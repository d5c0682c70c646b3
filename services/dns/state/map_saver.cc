#include "services/dns/state/map_saver.h"

#include <utility>

#include "lib/log/log.h"
#include "services/dns/state/state_file.h"

namespace perigee::dns {

bool WarningPace::Due(MonoTime now) {
  if (last_ && now - *last_ < kSaveWarningInterval) return false;
  last_ = now;
  return true;
}

MapSaver::MapSaver(std::unique_ptr<MapStore> store, RttMap& map, const Clock& clock, SaveCounters* counters,
                   std::chrono::milliseconds interval)
    : store_(std::move(store)),
      map_(map),
      clock_(clock),
      counters_(counters),
      interval_(interval),
      thread_([this] { Run(); }) {}

MapSaver::~MapSaver() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_one();
  thread_.join();
}

void MapSaver::Run() {
  std::unique_lock lock(mutex_);
  for (bool last = false; !last;) {
    last = wake_.wait_for(lock, interval_, [this] { return stopping_; });
    lock.unlock();
    SaveOnce();
    lock.lock();
  }
}

void MapSaver::SaveOnce() {
  const auto saved = store_->Save(map_);
  if (counters_ != nullptr)
    saved.ok() ? counters_->Saved(*saved, clock_.WallNow()) : counters_->failures.Add();
  if (!saved.ok() && warnings_.Due(clock_.Now())) {
    const std::string why(saved.status().message());
    LogWarning(LogModule::kDnsState, {{"error", why}},
               "the map is not saved: {}; it is tried again each second", why);
  }
}

namespace {

absl::StatusOr<std::unique_ptr<MapStore>> OpenStore(const StateFile& file, std::span<const std::string> names,
                                                    const Clock& clock) {
  auto database = file.Connect(/*durable=*/false);
  if (!database.ok()) return database.status();
  return MapStore::Open(*std::move(database), names, clock);
}

// The map's part of Open and Load, with the file's damage, if any, as its error.
absl::StatusOr<std::unique_ptr<MapStore>> OpenAndLoad(const StateFile& file,
                                                      std::span<const std::string> names, RttMap& map,
                                                      std::chrono::seconds hard_age, const Clock& clock) {
  const MonoTime start = clock.Now();
  auto store = OpenStore(file, names, clock);
  if (!store.ok()) return store.status();
  const auto loaded = (*store)->Load(map, hard_age);
  if (!loaded.ok()) return loaded.status();
  const auto took = std::chrono::duration_cast<std::chrono::milliseconds>(clock.Now() - start);
  LogInfo(LogModule::kDnsState, {{"path", file.path()}, {"rows", loaded->rows}},
          "state file {}: {} known prefixes in {} ms, {} forgotten", file.path(), loaded->rows, took.count(),
          loaded->dropped);
  return store;
}

}  // namespace

absl::StatusOr<std::unique_ptr<MapSaver>> RestoreMap(StateFile& file, std::span<const std::string> names,
                                                     RttMap& map, std::chrono::seconds hard_age,
                                                     const Clock& clock, SaveCounters* counters) {
  auto store = OpenAndLoad(file, names, map, hard_age, clock);
  if (absl::IsDataLoss(store.status())) {
    const absl::Status status = file.SetAside(std::string(store.status().message()));
    if (!status.ok()) return status;
    store = OpenStore(file, names, clock);
  }
  if (!store.ok()) return store.status();
  return std::make_unique<MapSaver>(*std::move(store), map, clock, counters);
}

}  // namespace perigee::dns
