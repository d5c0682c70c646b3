// The part of the disk tier that reads, from any thread.
#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <utility>

#include "lib/sqlite/bus_guard.h"
#include "services/replica/cache/checksum.h"
#include "services/replica/cache/disk_rows.h"
#include "services/replica/cache/disk_tier.h"

namespace perigee::replica {
namespace {

using sqlite::Database;
using sqlite::Statement;

// Reader connections kept open for the next reads.
constexpr size_t kMaxIdleReaders = 16;

// Pages are read where the kernel has them, as far as SQLite maps (2 GiB), instead of into a cache of each
// reader's own. See BusGuard.
constexpr char kReaderPragmas[] = "PRAGMA mmap_size=2147483648";

absl::Status MoveTo(Database& database, int64_t chunk, sqlite::Blob* blob) {
  if (blob->is_open()) return blob->Reopen(chunk);
  auto opened = sqlite::Blob::Open(database, "chunk", "data", chunk);
  if (!opened.ok()) return opened.status();
  *blob = *std::move(opened);
  return absl::OkStatus();
}

// Reads the chunk of `row`, which must have `size` bytes, and its checksum behind it to `out`.
absl::Status ReadVerified(const sqlite::Blob& chunk, int64_t row, size_t size, char* out) {
  if (chunk.size() != size + sizeof(Checksum)) return absl::DataLossError("a chunk of the wrong size");
  if (absl::Status status = chunk.Read(0, chunk.size(), out); !status.ok()) return status;
  const Checksum expected = ChecksumOf(row, {out, size});
  if (std::memcmp(out + size, expected.data(), expected.size()) == 0) return absl::OkStatus();
  return absl::DataLossError("a damaged chunk");
}

absl::StatusOr<StoredResponse> HeadOf(const Statement& row, ObjectId id) {
  auto headers = http::HeaderList::FromText(std::string(row.Blob(2)));
  if (!headers) return absl::DataLossError(fmt::format("object {} has malformed headers", id));
  StoredResponse response;
  response.head = {static_cast<int>(row.Number(0)), std::string(row.Blob(1)), *std::move(headers),
                   FromMicros(row.Number(3)), FromMicros(row.Number(4))};
  response.head.tags = row.Blob(8);
  response.vary_names = row.Blob(5);
  response.variant_key = row.Blob(6);
  response.soft_purged_at = FromMicros(row.Number(9));
  response.body_bytes = static_cast<uint64_t>(row.Number(7));
  response.object_id = id;
  return response;
}

}  // namespace

absl::Status DiskTier::Reader::EnterSnapshot(uint64_t commits_now) {
  if (in_snapshot && commits == commits_now) return absl::OkStatus();
  LeaveSnapshot();
  absl::Status status = database.Execute("BEGIN");
  in_snapshot = status.ok();
  commits = commits_now;
  return status;
}

void DiskTier::Reader::LeaveSnapshot() {
  chunk.Close();
  if (in_snapshot) database.Execute("COMMIT").IgnoreError();  // it has only read
  in_snapshot = false;
}

absl::StatusOr<std::unique_ptr<DiskTier::Reader>> DiskTier::IdleOrNewReader() {
  {
    const std::lock_guard lock(readers_mutex_);
    if (!idle_readers_.empty()) {
      auto reader = std::move(idle_readers_.back());
      idle_readers_.pop_back();
      return reader;
    }
  }
  auto database = Database::Open(database_.path(), Database::Mode::kReadOnly);
  if (!database.ok()) return database.status();
  if (absl::Status status = database->Execute(kReaderPragmas); !status.ok()) return status;
  auto object = database->Prepare(
      "SELECT status, reason, headers, request_time, response_time, vary_names, variant_key, body_bytes,"
      " tags, soft_purged_at FROM object WHERE id = ?1");
  if (!object.ok()) return object.status();
  return std::make_unique<Reader>(Reader{*std::move(database), *std::move(object), {}});
}

absl::StatusOr<std::unique_ptr<DiskTier::Reader>> DiskTier::TakeReader() {
  auto reader = IdleOrNewReader();
  if (!reader.ok()) return reader;
  // Read before the transaction begins, so that a commit meanwhile makes it look old, never new.
  if (absl::Status status = (*reader)->EnterSnapshot(commits_); !status.ok()) return status;
  return reader;
}

void DiskTier::GiveBack(std::unique_ptr<Reader> reader) {
  const std::lock_guard lock(readers_mutex_);
  if (reader->commits != commits_) reader->LeaveSnapshot();
  if (idle_readers_.size() < kMaxIdleReaders) idle_readers_.push_back(std::move(reader));
}

void DiskTier::EndSnapshots() {
  const std::lock_guard lock(readers_mutex_);
  ++commits_;
  for (const auto& reader : idle_readers_) reader->LeaveSnapshot();
}

absl::StatusOr<StoredResponse> DiskTier::ReadHead(ObjectId id) {
  const sqlite::BusGuard guard;
  auto reader = TakeReader();
  if (!reader.ok()) return reader.status();
  Statement& object = (*reader)->object;
  const auto row = object.Bind(1, static_cast<int64_t>(id)).Step();
  if (!row.ok()) return row.status();
  auto response = *row ? HeadOf(object, id) : absl::NotFoundError("not stored");
  object.Reset();
  GiveBack(*std::move(reader));
  return response;
}

absl::StatusOr<Body> DiskTier::ReadBody(ObjectId id, uint64_t size) {
  const sqlite::BusGuard guard;
  auto reader = TakeReader();
  if (!reader.ok()) return reader.status();
  sqlite::Blob& chunk = (*reader)->chunk;
  // A chunk takes the place of the checksum of the one before it.
  Body::Draft draft = Body::Make(size, sizeof(Checksum));
  int64_t row = ChunkRow(id, 0);
  for (size_t begin = 0; begin < size; begin += kChunkBytes) {
    const size_t length = std::min(size - begin, kChunkBytes);
    absl::Status status = MoveTo((*reader)->database, row, &chunk);
    if (status.ok()) status = ReadVerified(chunk, row, length, draft.bytes + begin);
    ++row;
    if (absl::IsNotFound(status) || absl::IsDataLoss(status)) {
      return absl::DataLossError(
          fmt::format("object {} has not all of its {} bytes: {}", id, size, std::string(status.message())));
    }
    if (!status.ok()) return status;
  }
  GiveBack(*std::move(reader));
  return std::move(draft.body);
}

absl::Status DiskTier::ReadChunk(ObjectId id, uint64_t number, std::string* out) {
  const sqlite::BusGuard guard;
  auto reader = TakeReader();
  if (!reader.ok()) return reader.status();
  sqlite::Blob& chunk = (*reader)->chunk;
  const int64_t row = ChunkRow(id, number);
  if (absl::Status status = MoveTo((*reader)->database, row, &chunk); !status.ok()) return status;
  const size_t size = chunk.size();
  if (size < sizeof(Checksum)) return absl::DataLossError(fmt::format("object {}: a chunk too short", id));
  out->resize(size);
  absl::Status status = ReadVerified(chunk, row, size - sizeof(Checksum), out->data());
  out->resize(size - sizeof(Checksum));
  GiveBack(*std::move(reader));
  return status;
}

}  // namespace perigee::replica
