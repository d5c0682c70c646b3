// SQLite with ownership and types: a Database, its prepared Statements, and a Transaction that rolls back
// unless it was committed.
//
// Errors are Status values with SQLite's message and the file; SqliteCode gives back the (extended) result
// code. Nothing throws. A Database and its Statements belong to one thread at a time.
#pragma once

#include <sqlite3.h>

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace perigee::sqlite {

// How long a statement waits for another connection's lock before it gives up with Unavailable.
inline constexpr std::chrono::milliseconds kBusyTimeout{2'000};

class Statement;

class Database {
 public:
  enum class Mode { kReadWriteCreate, kReadOnly };

  // Closed when it goes. Statements must go before it.
  static absl::StatusOr<Database> Open(const std::string& path, Mode mode);

  absl::StatusOr<Statement> Prepare(std::string_view sql);
  // Runs statements that give no rows that matter.
  absl::Status Execute(const std::string& sql);
  // The first column of the first row as a number; NotFound without a row.
  absl::StatusOr<int64_t> QueryNumber(std::string_view sql);
  // The same as text.
  absl::StatusOr<std::string> QueryText(std::string_view sql);

  // Moves what the WAL holds into the file. Returns false when a reader or writer was in the way.
  absl::StatusOr<bool> Checkpoint(bool truncate);

  const std::string& path() const { return *path_; }
  sqlite3* handle() const { return handle_.get(); }

 private:
  struct Closer {
    void operator()(sqlite3* handle) const { sqlite3_close_v2(handle); }
  };
  Database(const std::string& path, sqlite3* handle)
      : path_(std::make_unique<std::string>(path)), handle_(handle) {}

  std::unique_ptr<std::string> path_;  // stays in place when the Database moves: statements point to it
  std::unique_ptr<sqlite3, Closer> handle_;
};

// A prepared statement. Bind, Step until it says false, and it is ready to be bound again; to leave it
// earlier, Reset.
class Statement {
 public:
  Statement() = default;

  // Parameters count from 1. The bytes must live until the statement is stepped to its end or reset. A failed
  // bind shows as the error of Step.
  Statement& Bind(int index, int64_t value);
  Statement& BindText(int index, std::string_view value);
  Statement& BindBlob(int index, std::string_view value);

  // Whether there is a row. After false or an error the statement has been reset.
  absl::StatusOr<bool> Step();
  // Steps a statement that gives no rows.
  absl::Status Run();
  void Reset();

  // Columns of the row count from 0. Views live until the next Step or Reset.
  int64_t Number(int column) const;
  std::string_view Text(int column) const;
  std::string_view Blob(int column) const;

 private:
  friend class Database;
  struct Finalizer {
    void operator()(sqlite3_stmt* handle) const { sqlite3_finalize(handle); }
  };
  Statement(const std::string* path, sqlite3_stmt* handle) : path_(path), handle_(handle) {}
  Statement& Note(int bind_code);

  const std::string* path_ = nullptr;
  std::unique_ptr<sqlite3_stmt, Finalizer> handle_;
  int bind_code_ = SQLITE_OK;
};

// The blob of one row, read where it lies, without a statement. A read transaction lasts while it is open.
// Must go before its Database.
class Blob {
 public:
  Blob() = default;
  // NotFound when there is no such row.
  static absl::StatusOr<Blob> Open(Database& database, const char* table, const char* column, int64_t row);

  bool is_open() const { return handle_ != nullptr; }
  void Close() { handle_.reset(); }
  // Moves to another row of the same table, which costs less than Open. NotFound as above; then only Close is
  // left to do, as after every error.
  absl::Status Reopen(int64_t row);
  size_t size() const { return static_cast<size_t>(sqlite3_blob_bytes(handle_.get())); }
  // `size` bytes from `offset` on, of which there must be as many.
  absl::Status Read(size_t offset, size_t size, char* out) const;

 private:
  struct Closer {
    void operator()(sqlite3_blob* handle) const { sqlite3_blob_close(handle); }
  };
  Blob(Database& database, sqlite3_blob* handle)
      : path_(&database.path()), database_(database.handle()), handle_(handle) {}
  absl::Status Result(int code) const;

  const std::string* path_ = nullptr;
  sqlite3* database_ = nullptr;
  std::unique_ptr<sqlite3_blob, Closer> handle_;
};

// BEGIN IMMEDIATE now; ROLLBACK at the end of the scope unless Commit succeeded.
class Transaction {
 public:
  static absl::StatusOr<Transaction> Begin(Database& database);
  Transaction(Transaction&& other) noexcept : database_(std::exchange(other.database_, nullptr)) {}
  ~Transaction();
  absl::Status Commit();

 private:
  explicit Transaction(Database& database) : database_(&database) {}
  Database* database_;
};

}  // namespace perigee::sqlite
