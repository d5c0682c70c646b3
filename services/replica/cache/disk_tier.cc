#include "services/replica/cache/disk_tier.h"

#include <fmt/format.h>

#include <filesystem>
#include <system_error>
#include <utility>
#include <vector>

#include "services/replica/cache/checksum.h"
#include "services/replica/cache/disk_rows.h"

namespace perigee::replica {
namespace {

using sqlite::Database;
using sqlite::Statement;

constexpr int kSchemaVersion = 4;
// A WAL of this many pages (4 MB) is moved into the file.
constexpr int kCheckpointPages = 256;
// More free pages than this (and than a quarter of the file) are given back, so many at a time.
constexpr int64_t kFreePages = 64;
// A larger file is not read through at start; damage then shows when it is read.
constexpr uint64_t kQuickCheckMaxBytes = 256'000'000;

// secure_delete is on in Debian's build: to evict would mean to write as many zeros.
constexpr char kPragmas[] =
    "PRAGMA page_size=16384; PRAGMA auto_vacuum=INCREMENTAL; PRAGMA journal_mode=WAL; "
    "PRAGMA synchronous=NORMAL; PRAGMA journal_size_limit=8388608; PRAGMA secure_delete=OFF;";

// All text is kept as blobs: keys and headers are bytes. Times are microseconds since 1970, 0 for none. A
// chunk's id is its object's id and its number within it, so that a body is one run of rows; its data is the
// bytes and their checksum. Loose are the ids that have chunks and no object.
constexpr char kSchema[] =
    "BEGIN IMMEDIATE;"
    "CREATE TABLE object(id INTEGER PRIMARY KEY, key BLOB NOT NULL, vary_names BLOB NOT NULL,"
    " variant_key BLOB NOT NULL, status INTEGER NOT NULL, reason BLOB NOT NULL, headers BLOB NOT NULL,"
    " request_time INTEGER NOT NULL, response_time INTEGER NOT NULL, body_bytes INTEGER NOT NULL,"
    " hits INTEGER NOT NULL, tags BLOB NOT NULL, soft_purged_at INTEGER NOT NULL);"
    "CREATE TABLE chunk(id INTEGER PRIMARY KEY, data BLOB NOT NULL);"
    "CREATE TABLE loose(id INTEGER PRIMARY KEY);"
    "PRAGMA user_version=4;"
    "COMMIT;";

constexpr std::string_view kLoad =
    "SELECT id, key, vary_names, variant_key, length(key) + length(vary_names) + length(variant_key) +"
    " length(reason) + length(headers) + length(tags) + body_bytes, body_bytes, hits, tags,"
    " soft_purged_at, status, CASE status WHEN 206 THEN headers ELSE x'' END FROM object ORDER BY id";

absl::Status CheckNotDamaged(Database& database) {
  std::error_code error;
  const uint64_t size = std::filesystem::file_size(database.path(), error);
  if (error || size > kQuickCheckMaxBytes) return absl::OkStatus();
  const auto result = database.QueryText("PRAGMA quick_check(1)");
  if (!result.ok()) return result.status();
  if (*result == "ok") return absl::OkStatus();
  return absl::DataLossError(fmt::format("{}: {}", database.path(), result->substr(result->find('\n') + 1)));
}

absl::Status EnsureSchema(Database& database) {
  const auto version = database.QueryNumber("PRAGMA user_version");
  if (!version.ok()) return version.status();
  if (*version == kSchemaVersion) return absl::OkStatus();
  const auto tables = database.QueryNumber("SELECT count(*) FROM sqlite_schema");
  if (!tables.ok()) return tables.status();
  if (*version == 0 && *tables == 0) return database.Execute(kSchema);
  return absl::DataLossError(
      fmt::format("{}: not a cache of version {} but {}", database.path(), kSchemaVersion, *version));
}

absl::Status PrepareAs(Database& database, std::string_view sql, Statement* out) {
  auto statement = database.Prepare(sql);
  if (!statement.ok()) return statement.status();
  *out = *std::move(statement);
  return absl::OkStatus();
}

void BindHead(Statement& statement, int first, const StoredResponse& response) {
  const http::ResponseHead& head = response.head;
  statement.Bind(first, head.status)
      .BindBlob(first + 1, head.reason)
      .BindBlob(first + 2, head.headers.text())
      .Bind(first + 3, ToMicros(head.request_time))
      .Bind(first + 4, ToMicros(head.response_time))
      .BindBlob(first + 5, head.tags)
      .Bind(first + 6, ToMicros(response.soft_purged_at));
}

// Runs `write` for each element until one fails.
template <typename Elements, typename Write>
absl::Status Each(const Elements& elements, Write write) {
  for (const auto& element : elements) {
    if (absl::Status status = write(element); !status.ok()) return status;
  }
  return absl::OkStatus();
}

// What earlier calls of MoveAside have left.
void RemoveOlder(const std::filesystem::path& aside) {
  const std::filesystem::path folder = aside.has_parent_path() ? aside.parent_path() : ".";
  const std::string name = aside.filename();
  std::error_code error;
  std::vector<std::filesystem::path> older;
  for (const auto& file : std::filesystem::directory_iterator(folder, error)) {
    if (file.path().filename().string().starts_with(name)) older.push_back(file.path());
  }
  for (const std::filesystem::path& file : older) std::filesystem::remove(file, error);
}

}  // namespace

uint64_t WeightOf(std::string_view key, const StoredResponse& response) {
  return key.size() + response.vary_names.size() + response.variant_key.size() + response.head.reason.size() +
         response.head.headers.text().size() + response.head.tags.size() + response.body_bytes;
}

absl::StatusOr<std::unique_ptr<DiskTier>> DiskTier::Open(const std::string& path) {
  auto database = Database::Open(path, Database::Mode::kReadWriteCreate);
  if (!database.ok()) return database.status();
  if (absl::Status status = database->Execute(kPragmas); !status.ok()) return status;
  if (absl::Status status = CheckNotDamaged(*database); !status.ok()) return status;
  if (absl::Status status = EnsureSchema(*database); !status.ok()) return status;
  std::unique_ptr<DiskTier> tier(new DiskTier(*std::move(database)));
  if (absl::Status status = tier->Prepare(); !status.ok()) return status;
  if (absl::Status status = tier->EraseLoose(); !status.ok()) return status;
  return tier;
}

DiskTier::~DiskTier() { idle_readers_.clear(); }

absl::Status DiskTier::Prepare() {
  // Takes the place of SQLite's own checkpoints, which would run inside a commit.
  sqlite3_wal_hook(
      database_.handle(),
      [](void* pages, sqlite3*, const char*, int count) {
        *static_cast<int*>(pages) = count;
        return SQLITE_OK;
      },
      &wal_pages_);
  const std::pair<std::string_view, Statement*> statements[] = {
      {"DELETE FROM object WHERE id = ?1", &erase_object_},
      {"DELETE FROM chunk WHERE id >= ?1 AND id < ?2", &erase_chunks_},
      {"DELETE FROM loose WHERE id = ?1", &erase_loose_},
      {"INSERT OR IGNORE INTO loose VALUES(?1)", &put_loose_},
      {"INSERT OR REPLACE INTO object VALUES(?1, ?2, ?3, ?4, ?7, ?8, ?9, ?10, ?11, ?5, ?6, ?12, ?13)",
       &put_object_},
      {"INSERT OR REPLACE INTO chunk VALUES(?1, ?2)", &put_chunk_},
      {"UPDATE object SET status = ?2, reason = ?3, headers = ?4, request_time = ?5, response_time = ?6,"
       " tags = ?7, soft_purged_at = ?8 WHERE id = ?1",
       &put_head_},
      {"UPDATE object SET soft_purged_at = ?2 WHERE id = ?1", &put_mark_},
      {"UPDATE object SET hits = ?2 WHERE id = ?1", &put_hits_},
  };
  return Each(statements, [&](const auto& pair) { return PrepareAs(database_, pair.first, pair.second); });
}

absl::Status DiskTier::Load(const std::function<void(LoadedObject)>& take) {
  auto rows = database_.Prepare(kLoad);
  if (!rows.ok()) return rows.status();
  absl::StatusOr<bool> row = rows->Step();
  for (; row.ok() && *row; row = rows->Step()) {
    take({static_cast<ObjectId>(rows->Number(0)), std::string(rows->Blob(1)), std::string(rows->Blob(2)),
          std::string(rows->Blob(3)), static_cast<uint64_t>(rows->Number(4)),
          static_cast<uint64_t>(rows->Number(5)), static_cast<uint64_t>(rows->Number(6)),
          std::string(rows->Blob(7)), FromMicros(rows->Number(8)), static_cast<int>(rows->Number(9)),
          std::string(rows->Blob(10))});
  }
  return row.status();
}

absl::Status DiskTier::Erase(ObjectId id) {
  if (absl::Status status = erase_object_.Bind(1, static_cast<int64_t>(id)).Run(); !status.ok())
    return status;
  absl::Status status = erase_chunks_.Bind(1, ChunkRow(id, 0)).Bind(2, ChunkRow(id + 1, 0)).Run();
  if (status.ok()) status = erase_loose_.Bind(1, static_cast<int64_t>(id)).Run();
  return status;
}

absl::Status DiskTier::EraseLoose() {
  auto rows = database_.Prepare("SELECT id FROM loose");
  if (!rows.ok()) return rows.status();
  std::vector<ObjectId> loose;
  absl::StatusOr<bool> row = rows->Step();
  for (; row.ok() && *row; row = rows->Step()) loose.push_back(static_cast<ObjectId>(rows->Number(0)));
  if (!row.ok() || loose.empty()) return row.status();
  return Write({.erase = std::move(loose)});
}

absl::Status DiskTier::Loosen(ObjectId id) {
  absl::Status status = erase_object_.Bind(1, static_cast<int64_t>(id)).Run();
  if (status.ok()) status = put_loose_.Bind(1, static_cast<int64_t>(id)).Run();
  return status;
}

absl::Status DiskTier::Put(const WriteBatch::Put& put) {
  const StoredResponse& response = *put.response;
  put_object_.Bind(1, static_cast<int64_t>(put.id))
      .BindBlob(2, put.key)
      .BindBlob(3, response.vary_names)
      .BindBlob(4, response.variant_key)
      .Bind(5, static_cast<int64_t>(response.body_bytes))
      .Bind(6, static_cast<int64_t>(put.hits));
  BindHead(put_object_, 7, response);
  if (absl::Status status = put_object_.Run(); !status.ok()) return status;
  if (response.body) return PutChunks(put.id, *response.body);
  return erase_loose_.Bind(1, static_cast<int64_t>(put.id)).Run();
}

absl::Status DiskTier::PutChunks(ObjectId id, std::string_view body) {
  for (size_t begin = 0; begin < body.size(); begin += kChunkBytes) {
    const std::string_view bytes = body.substr(begin, kChunkBytes);
    if (absl::Status status = PutChunk(id, begin / kChunkBytes, bytes); !status.ok()) return status;
  }
  return absl::OkStatus();
}

absl::Status DiskTier::PutChunk(ObjectId id, uint64_t number, std::string_view bytes) {
  const int64_t row = ChunkRow(id, number);
  const Checksum checksum = ChecksumOf(row, bytes);
  row_.assign(bytes).append(checksum.data(), checksum.size());
  return put_chunk_.Bind(1, row).BindBlob(2, row_).Run();
}

absl::Status DiskTier::PutLoose(const WriteBatch::BodyChunk& chunk) {
  absl::Status status = absl::OkStatus();
  if (chunk.number == 0) status = put_loose_.Bind(1, static_cast<int64_t>(chunk.id)).Run();
  if (status.ok()) status = PutChunk(chunk.id, chunk.number, chunk.bytes);
  return status;
}

absl::Status DiskTier::PutHead(const WriteBatch::Head& head) {
  put_head_.Bind(1, static_cast<int64_t>(head.id));
  BindHead(put_head_, 2, *head.response);
  return put_head_.Run();
}

absl::Status DiskTier::PutMark(const WriteBatch::Mark& mark) {
  return put_mark_.Bind(1, static_cast<int64_t>(mark.id)).Bind(2, ToMicros(mark.soft_purged_at)).Run();
}

absl::Status DiskTier::PutHits(const WriteBatch::Hits& hits) {
  return put_hits_.Bind(1, static_cast<int64_t>(hits.id)).Bind(2, static_cast<int64_t>(hits.hits)).Run();
}

absl::Status DiskTier::Apply(const WriteBatch& batch) {
  EndSnapshots();
  absl::Status status = Write(batch);
  EndSnapshots();
  return status;
}

absl::Status DiskTier::Write(const WriteBatch& batch) {
  auto transaction = sqlite::Transaction::Begin(database_);
  if (!transaction.ok()) return transaction.status();
  absl::Status status = Each(batch.erase, [&](ObjectId id) { return Erase(id); });
  if (status.ok()) status = Each(batch.loosen, [&](ObjectId id) { return Loosen(id); });
  if (status.ok()) status = Each(batch.chunks, [&](const auto& chunk) { return PutLoose(chunk); });
  if (status.ok()) status = Each(batch.put, [&](const auto& put) { return Put(put); });
  if (status.ok()) status = Each(batch.heads, [&](const auto& head) { return PutHead(head); });
  if (status.ok()) status = Each(batch.marks, [&](const auto& mark) { return PutMark(mark); });
  if (status.ok()) status = Each(batch.hits, [&](const auto& hits) { return PutHits(hits); });
  if (!status.ok()) return status;
  unsynced_ = true;
  return transaction->Commit();
}

// A commit in full mode syncs the WAL and so the commits before it; it has to write something.
absl::Status DiskTier::Sync() {
  if (!unsynced_) return absl::OkStatus();
  absl::Status status = database_.Execute(fmt::format(
      "PRAGMA synchronous=FULL; PRAGMA user_version={}; PRAGMA synchronous=NORMAL;", kSchemaVersion));
  unsynced_ = !status.ok();
  return status;
}

absl::Status DiskTier::Maintain() {
  const auto free = database_.QueryNumber("PRAGMA freelist_count");
  const auto pages = database_.QueryNumber("PRAGMA page_count");
  if (!free.ok()) return free.status();
  if (!pages.ok()) return pages.status();
  shrinks_ = *free > kFreePages && *free > *pages / 4;
  if (shrinks_) {
    absl::Status status = database_.Execute(fmt::format("PRAGMA incremental_vacuum({})", kFreePages));
    if (!status.ok()) return status;
  }
  if (wal_pages_ < kCheckpointPages) return absl::OkStatus();
  const auto done = database_.Checkpoint(/*truncate=*/false);
  if (done.ok() && *done) wal_pages_ = 0;
  return done.status();
}

absl::Status DiskTier::Clear() {
  absl::Status status = database_.Execute("DELETE FROM chunk; DELETE FROM object; DELETE FROM loose;");
  EndSnapshots();
  return status;
}

absl::Status RemoveCacheFile(const std::string& path) {
  {
    auto database = Database::Open(path, Database::Mode::kReadOnly);
    if (!database.ok()) return database.status();
    const auto version = database->QueryNumber("PRAGMA user_version");
    if (!version.ok()) return version.status();
    if (*version != kSchemaVersion)
      return absl::FailedPreconditionError(fmt::format("{}: not a cache of this version", path));
  }
  std::error_code error;
  for (const char* suffix : {"", "-wal", "-shm"}) std::filesystem::remove(path + suffix, error);
  return absl::OkStatus();
}

absl::StatusOr<std::string> MoveAside(const std::string& path, WallTime now) {
  const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(now.time_since_epoch()).count();
  const std::string aside = path + ".damaged-";
  const std::string target = fmt::format("{}{}", aside, seconds);
  RemoveOlder(aside);
  std::error_code error;
  std::filesystem::rename(path, target, error);
  if (error) {
    return absl::InternalError(fmt::format("{}: cannot rename to {}: {}", path, target, error.message()));
  }
  for (const char* suffix : {"-wal", "-shm"}) {  // there may be none
    std::error_code ignored;
    std::filesystem::rename(path + suffix, target + suffix, ignored);
  }
  return target;
}

}  // namespace perigee::replica
