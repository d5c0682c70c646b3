#include "services/dns/state/state_file.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>

#include "fmt/format.h"
#include "lib/log/log.h"

namespace perigee::dns {
namespace {

constexpr int64_t kApplicationId = 0x50474545;  // "PGEE"

constexpr char kSchema[] = R"(
  CREATE TABLE replica(number INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE);
  CREATE TABLE row(slot INTEGER PRIMARY KEY, data BLOB NOT NULL);
  CREATE TABLE operator_state(replica TEXT PRIMARY KEY, state INTEGER NOT NULL) WITHOUT ROWID;
)";

// SQLite opens what it can't write as read-only in silence, and would fail at the first save.
absl::Status CheckWritable(const std::string& path) {
  for (const char* suffix : {"", "-wal", "-shm", ".lock"}) {
    const std::string file = path + suffix;
    if (access(file.c_str(), R_OK | W_OK) == 0 || errno == ENOENT) continue;
    return absl::PermissionDeniedError(fmt::format(
        "state file: can't write \"{}\": {}; it must belong to the user that dnsserver runs as (--user): "
        "chown it, with those beside it, \"{}*\"",
        file, std::strerror(errno), path));
  }
  return absl::OkStatus();
}

absl::StatusOr<int> Lock(const std::string& path) {
  const std::string lock = path + ".lock";
  const int fd = open(lock.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644);
  if (fd < 0) {
    return absl::UnavailableError(
        fmt::format("state file: can't make \"{}\": {}; its folder must exist and be writable", lock,
                    std::strerror(errno)));
  }
  if (flock(fd, LOCK_EX | LOCK_NB) == 0) return fd;
  close(fd);
  return absl::FailedPreconditionError(fmt::format(
      "state file \"{}\" is in use by another dnsserver: give each its own dns.state_file", path));
}

absl::Status CreateSchema(sqlite::Database& database) {
  auto transaction = sqlite::Transaction::Begin(database);
  if (!transaction.ok()) return transaction.status();
  const std::string meta =
      fmt::format("PRAGMA application_id={}; PRAGMA user_version={};", kApplicationId, kStateVersion);
  if (absl::Status status = database.Execute(meta + kSchema); !status.ok()) return status;
  return transaction->Commit();
}

// DataLoss when the file is not one of ours.
absl::Status CheckOrCreate(sqlite::Database& database) {
  const auto tables = database.QueryNumber("SELECT count(*) FROM sqlite_master");
  if (!tables.ok()) return tables.status();
  if (*tables == 0) return CreateSchema(database);
  const auto application = database.QueryNumber("PRAGMA application_id");
  if (!application.ok()) return application.status();
  if (*application != kApplicationId) return absl::DataLossError("it belongs to another program");
  const auto version = database.QueryNumber("PRAGMA user_version");
  if (!version.ok()) return version.status();
  if (*version == kStateVersion) return absl::OkStatus();
  return absl::DataLossError(fmt::format("its version is {}, not {}", *version, kStateVersion));
}

}  // namespace

StateFile::~StateFile() { close(lock_); }

absl::StatusOr<sqlite::Database> StateFile::Connect(bool durable) const {
  auto database = sqlite::Database::Open(path_, sqlite::Database::Mode::kReadWriteCreate);
  if (!database.ok()) return database;
  const std::string pragmas =
      fmt::format("PRAGMA journal_mode=WAL; PRAGMA synchronous={};", durable ? "FULL" : "NORMAL");
  if (absl::Status status = database->Execute(pragmas); !status.ok()) return status;
  return database;
}

absl::Status StateFile::Prepare() const {
  auto database = Connect(/*durable=*/true);
  return database.ok() ? CheckOrCreate(*database) : database.status();
}

absl::Status StateFile::SetAside(const std::string& why) {
  const std::string aside = path_ + ".corrupt";
  LogWarning(LogModule::kDnsState, {{"path", path_}, {"aside", aside}},
             "state file {}: {}; set aside as {}, beginning an empty one", path_, why, aside);
  // A log belongs to its file: it must not be played into the new one.
  for (const char* log : {"-wal", "-shm"}) std::remove((path_ + log).c_str());
  if (std::rename(path_.c_str(), aside.c_str()) != 0) {
    return absl::UnavailableError(
        fmt::format("state file \"{}\" can't be used ({}), nor renamed to \"{}\": {}", path_, why, aside,
                    std::strerror(errno)));
  }
  return Prepare();
}

absl::StatusOr<std::unique_ptr<StateFile>> StateFile::Open(const std::string& path) {
  if (absl::Status status = CheckWritable(path); !status.ok()) return status;
  const auto lock = Lock(path);
  if (!lock.ok()) return lock.status();
  std::unique_ptr<StateFile> file(new StateFile(path, *lock));
  absl::Status status = file->Prepare();
  if (absl::IsDataLoss(status)) status = file->SetAside(std::string(status.message()));
  if (!status.ok()) return status;
  return file;
}

}  // namespace perigee::dns
