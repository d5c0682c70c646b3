#include "lib/sqlite/sqlite.h"

#include <fmt/format.h>

#include <utility>

#include "absl/strings/string_view.h"

namespace perigee::sqlite {
namespace {

absl::StatusCode CanonicalCode(int primary) {
  switch (primary) {
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
      return absl::StatusCode::kUnavailable;
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
      return absl::StatusCode::kDataLoss;
    case SQLITE_FULL:
    case SQLITE_NOMEM:
    case SQLITE_TOOBIG:
      return absl::StatusCode::kResourceExhausted;
    case SQLITE_CANTOPEN:
      return absl::StatusCode::kNotFound;
    case SQLITE_READONLY:
    case SQLITE_PERM:
    case SQLITE_AUTH:
      return absl::StatusCode::kPermissionDenied;
    case SQLITE_CONSTRAINT:
      return absl::StatusCode::kAlreadyExists;
    default:
      return absl::StatusCode::kInternal;
  }
}

absl::Status MakeError(int code, const std::string& path, std::string_view message) {
  const std::string text = fmt::format("{}: {} (SQLite code {})", path, message, code);
  return absl::Status(CanonicalCode(code & 0xff), text);
}

absl::Status LastError(sqlite3* handle, int code, const std::string& path) {
  return MakeError(code, path, sqlite3_errmsg(handle));
}

// Stands at the row; NotFound when there is none.
absl::StatusOr<Statement> FirstRow(Database& database, std::string_view sql) {
  auto statement = database.Prepare(sql);
  if (!statement.ok()) return statement.status();
  const auto row = statement->Step();
  if (!row.ok()) return row.status();
  if (!*row) return absl::NotFoundError(fmt::format("{}: no row", database.path()));
  return statement;
}

}  // namespace

absl::StatusOr<Database> Database::Open(const std::string& path, Mode mode) {
  const int access =
      mode == Mode::kReadOnly ? SQLITE_OPEN_READONLY : SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE;
  sqlite3* handle = nullptr;
  const int code =
      sqlite3_open_v2(path.c_str(), &handle, access | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE, nullptr);
  Database database(path, handle);
  if (code != SQLITE_OK) {
    return handle ? LastError(handle, code, path) : MakeError(code, path, "cannot open");
  }
  sqlite3_busy_timeout(handle, static_cast<int>(kBusyTimeout.count()));
  return database;
}

absl::StatusOr<Statement> Database::Prepare(std::string_view sql) {
  sqlite3_stmt* statement = nullptr;
  const int code = sqlite3_prepare_v3(handle(), sql.data(), static_cast<int>(sql.size()),
                                      SQLITE_PREPARE_PERSISTENT, &statement, nullptr);
  if (code != SQLITE_OK) return LastError(handle(), code, path());
  return Statement(path_.get(), statement);
}

absl::Status Database::Execute(const std::string& sql) {
  const int code = sqlite3_exec(handle(), sql.c_str(), nullptr, nullptr, nullptr);
  return code == SQLITE_OK ? absl::OkStatus() : LastError(handle(), code, path());
}

absl::StatusOr<int64_t> Database::QueryNumber(std::string_view sql) {
  const auto row = FirstRow(*this, sql);
  if (!row.ok()) return row.status();
  return row->Number(0);
}

absl::StatusOr<std::string> Database::QueryText(std::string_view sql) {
  const auto row = FirstRow(*this, sql);
  if (!row.ok()) return row.status();
  return std::string(row->Text(0));
}

absl::StatusOr<bool> Database::Checkpoint(bool truncate) {
  const int mode = truncate ? SQLITE_CHECKPOINT_TRUNCATE : SQLITE_CHECKPOINT_PASSIVE;
  int in_wal = 0;
  int moved = 0;
  const int code = sqlite3_wal_checkpoint_v2(handle(), nullptr, mode, &in_wal, &moved);
  if ((code & 0xff) == SQLITE_BUSY) return false;
  if (code != SQLITE_OK) return LastError(handle(), code, path());
  return in_wal == moved;
}

Statement& Statement::Note(int bind_code) {
  if (bind_code_ == SQLITE_OK) bind_code_ = bind_code;
  return *this;
}

Statement& Statement::Bind(int index, int64_t value) {
  return Note(sqlite3_bind_int64(handle_.get(), index, value));
}

Statement& Statement::BindText(int index, std::string_view value) {
  return Note(sqlite3_bind_text64(handle_.get(), index, value.data() ? value.data() : "", value.size(),
                                  SQLITE_STATIC, SQLITE_UTF8));
}

Statement& Statement::BindBlob(int index, std::string_view value) {
  return Note(sqlite3_bind_blob64(handle_.get(), index, value.data() ? value.data() : "", value.size(),
                                  SQLITE_STATIC));
}

absl::StatusOr<bool> Statement::Step() {
  if (bind_code_ != SQLITE_OK) {
    const int code = std::exchange(bind_code_, SQLITE_OK);
    Reset();
    return MakeError(code, *path_, "cannot bind a parameter");
  }
  const int code = sqlite3_step(handle_.get());
  if (code == SQLITE_ROW) return true;
  if (code == SQLITE_DONE) return Reset(), false;
  const absl::Status error = LastError(sqlite3_db_handle(handle_.get()), code, *path_);
  Reset();
  return error;
}

absl::Status Statement::Run() {
  const auto row = Step();
  if (row.ok()) Reset();
  return row.status();
}

void Statement::Reset() { sqlite3_reset(handle_.get()); }

int64_t Statement::Number(int column) const { return sqlite3_column_int64(handle_.get(), column); }

std::string_view Statement::Text(int column) const {
  const auto* text = reinterpret_cast<const char*>(sqlite3_column_text(handle_.get(), column));
  return {text ? text : "", static_cast<size_t>(sqlite3_column_bytes(handle_.get(), column))};
}

std::string_view Statement::Blob(int column) const {
  const auto* blob = static_cast<const char*>(sqlite3_column_blob(handle_.get(), column));
  return {blob ? blob : "", static_cast<size_t>(sqlite3_column_bytes(handle_.get(), column))};
}

absl::StatusOr<Blob> Blob::Open(Database& database, const char* table, const char* column, int64_t row) {
  sqlite3_blob* handle = nullptr;
  const int code = sqlite3_blob_open(database.handle(), "main", table, column, row, 0, &handle);
  Blob blob(database, handle);
  if (absl::Status status = blob.Result(code); !status.ok()) return status;
  return blob;
}

absl::Status Blob::Reopen(int64_t row) { return Result(sqlite3_blob_reopen(handle_.get(), row)); }

absl::Status Blob::Read(size_t offset, size_t size, char* out) const {
  return Result(sqlite3_blob_read(handle_.get(), out, static_cast<int>(size), static_cast<int>(offset)));
}

absl::Status Blob::Result(int code) const {
  if (code == SQLITE_OK) return absl::OkStatus();
  // A row that is not there is SQLite's unspecific error.
  if (code == SQLITE_ERROR)
    return absl::NotFoundError(fmt::format("{}: {}", *path_, sqlite3_errmsg(database_)));
  return LastError(database_, code, *path_);
}

absl::StatusOr<Transaction> Transaction::Begin(Database& database) {
  if (absl::Status status = database.Execute("BEGIN IMMEDIATE"); !status.ok()) return status;
  return Transaction(database);
}

// A failed statement may have ended the transaction already, and then there is nothing to roll back.
Transaction::~Transaction() {
  if (database_ && !sqlite3_get_autocommit(database_->handle())) {
    database_->Execute("ROLLBACK").IgnoreError();
  }
}

absl::Status Transaction::Commit() {
  absl::Status status = database_->Execute("COMMIT");
  if (status.ok()) database_ = nullptr;
  return status;
}

}  // namespace perigee::sqlite
