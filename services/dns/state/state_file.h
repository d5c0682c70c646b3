// The SQLite file in which the map and the operators' states survive a restart: its lock, its schema, its
// fate.
//
//   meta: application_id "PGEE", user_version kStateVersion
//   replica(number, name)           the fleet's names; rows speak of numbers
//   row(slot, data)                 the map, see row_codec.h; one per slot of the map, so the table is
//   bounded operator_state(replica, state)  by name; those that are not "auto"
#pragma once

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "lib/sqlite/sqlite.h"

namespace perigee::dns {

inline constexpr int kStateVersion = 1;

class StateFile {
 public:
  // Opens or makes it. What can't be used, for it is damaged, of another program or of a newer version, is
  // set aside as "<path>.corrupt", with a warning, and the file begins empty. Errors: FailedPrecondition when
  // another process has it; others name the file.
  static absl::StatusOr<std::unique_ptr<StateFile>> Open(const std::string& path);
  ~StateFile();
  StateFile(const StateFile&) = delete;
  StateFile& operator=(const StateFile&) = delete;

  const std::string& path() const { return path_; }

  // A connection of its own, for one thread at a time. `durable`: what is committed survives a loss of power
  // (synchronous=FULL), or else only the end of the process. StateFile must outlive it.
  absl::StatusOr<sqlite::Database> Connect(bool durable) const;

  // What was found to be damaged later than at Open: sets the file aside and begins an empty one. No
  // connection may be open.
  absl::Status SetAside(const std::string& why);

 private:
  StateFile(std::string path, int lock) : path_(std::move(path)), lock_(lock) {}
  absl::Status Prepare() const;

  const std::string path_;
  const int lock_;  // a descriptor of "<path>.lock", held with flock
};

}  // namespace perigee::dns
