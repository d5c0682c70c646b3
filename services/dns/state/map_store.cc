#include "services/dns/state/map_store.h"

#include <algorithm>
#include <utility>

#include "fmt/format.h"

namespace perigee::dns {

absl::StatusOr<std::unique_ptr<MapStore>> MapStore::Open(sqlite::Database database,
                                                         std::span<const std::string> names,
                                                         const Clock& clock) {
  std::unique_ptr<MapStore> store(new MapStore(std::move(database), clock));
  const auto known = store->database_.QueryNumber("SELECT count(*) FROM replica");
  if (!known.ok()) return known.status();
  if (static_cast<size_t>(*known) + names.size() > kMaxReplicaNumbers) {
    if (absl::Status status = store->ForgetAll(); !status.ok()) return status;
  }
  if (absl::Status status = store->NumberReplicas(names); !status.ok()) return status;
  auto put = store->database_.Prepare("INSERT OR REPLACE INTO row(slot, data) VALUES(?, ?)");
  if (!put.ok()) return put.status();
  store->put_ = *std::move(put);
  return store;
}

// Names of replicas long gone have used up the numbers: rows that speak of them are worth less than a fresh
// start.
absl::Status MapStore::ForgetAll() {
  auto transaction = sqlite::Transaction::Begin(database_);
  if (!transaction.ok()) return transaction.status();
  if (absl::Status status = database_.Execute("DELETE FROM row; DELETE FROM replica;"); !status.ok())
    return status;
  return transaction->Commit();
}

absl::Status MapStore::NumberReplicas(std::span<const std::string> names) {
  auto transaction = sqlite::Transaction::Begin(database_);
  if (!transaction.ok()) return transaction.status();
  auto add = database_.Prepare("INSERT OR IGNORE INTO replica(name) VALUES(?)");
  if (!add.ok()) return add.status();
  auto find = database_.Prepare("SELECT number FROM replica WHERE name = ?");
  if (!find.ok()) return find.status();
  ids_.assign(kMaxReplicaNumbers + 1, std::nullopt);
  for (const std::string& name : names) {
    if (absl::Status status = add->BindText(1, name).Run(); !status.ok()) return status;
    const auto row = find->BindText(1, name).Step();
    if (!row.ok()) return row.status();
    const int64_t number = *row ? find->Number(0) : -1;
    find->Reset();
    if (number < 0 || number >= static_cast<int64_t>(ids_.size())) {
      return absl::DataLossError(
          fmt::format("{}: replica {} has the number {}", database_.path(), name, number));
    }
    ids_[static_cast<size_t>(number)] = ToReplicaId(numbers_.size());
    numbers_.push_back(static_cast<ReplicaNumber>(number));
  }
  return transaction->Commit();
}

absl::StatusOr<MapStore::Loaded> MapStore::Load(RttMap& map, std::chrono::seconds hard_age) {
  auto rows = database_.Prepare("SELECT slot, data FROM row ORDER BY slot");
  if (!rows.ok()) return rows.status();
  Loaded loaded;
  const ClockPair now = Now();
  std::vector<size_t> moved;
  absl::StatusOr<bool> more = false;
  MapRow present;
  while ((more = rows->Step()).ok() && *more) {
    const auto stored = DecodeRow(rows->Blob(1), numbers_.size(), ids_, now);
    if (!stored || now.mono - stored->row.measured_at > hard_age) {
      ++loaded.dropped;
      continue;
    }
    // A prefix that has moved to another slot may have left an older row behind.
    if (map.Find(stored->prefix, &present) && present.measured_at >= stored->row.measured_at) continue;
    map.Put(stored->prefix, stored->row);
    const size_t slot = map.SlotOf(stored->prefix);
    if (slot != static_cast<size_t>(rows->Number(0))) moved.push_back(slot);
  }
  if (!more.ok()) return more.status();  // all that was put is still to be written, into the next file

  std::vector<size_t> clean;
  for (size_t from = 0; from < map.capacity(); clean.clear())
    map.TakeDirty(&from, kRowsPerTransaction, &clean);
  for (const size_t slot : moved) map.MarkDirty(slot);
  // Slots that this map has not. When the disk is full they stay, and are dropped or replaced the next time.
  database_.Execute(fmt::format("DELETE FROM row WHERE slot >= {}", map.capacity())).IgnoreError();
  loaded.rows = map.size();
  return loaded;
}

absl::StatusOr<size_t> MapStore::Save(RttMap& map) {
  size_t saved = 0;
  std::vector<size_t> slots;
  for (size_t from = 0; from < map.capacity();) {
    slots.clear();
    map.TakeDirty(&from, kRowsPerTransaction - 63, &slots);
    if (slots.empty()) continue;
    if (absl::Status status = SaveSlots(map, slots); !status.ok()) {
      for (const size_t slot : slots) map.MarkDirty(slot);
      return status;
    }
    saved += slots.size();
  }
  return saved;
}

absl::Status MapStore::SaveSlots(const RttMap& map, std::span<const size_t> slots) {
  auto transaction = sqlite::Transaction::Begin(database_);
  if (!transaction.ok()) return transaction.status();
  const ClockPair now = Now();
  IpPrefix prefix;
  MapRow row;
  std::string data;
  for (const size_t slot : slots) {
    if (!map.ReadSlot(slot, &prefix, &row)) continue;
    EncodeRow(prefix, row, numbers_, now, &data);
    put_.Bind(1, static_cast<int64_t>(slot)).BindBlob(2, data);
    if (absl::Status status = put_.Run(); !status.ok()) return status;
  }
  return transaction->Commit();
}

}  // namespace perigee::dns
