// What a world leaves on the machine so that a later process can find and remove it: /run/perigee-world/ with
//
//   lock          locked (fcntl, F_OFD_SETLK) by whoever runs, cleans or removes the world; says which, and
//   its pid hosts         the hosts whose namespaces are the world's, one a line, written before the first is
//   made netns-mount   present when /run/netns was made by the world control.sock  see control_protocol.h
//
// The kernel drops the lock when its holder dies, so a state whose lock is free is stale.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "tests/world/system.h"

namespace perigee::world {

inline constexpr const char* kStateDirectory = "/run/perigee-world";
inline constexpr const char* kControlSocket = "/run/perigee-world/control.sock";

enum class Activity : uint8_t { kRunning, kCleaning };

struct Owner {
  Activity activity = Activity::kRunning;
  pid_t pid = 0;
};

// How long Acquire waits for a holder that is only cleaning up.
inline constexpr std::chrono::seconds kMaxCleaningTime{10};

class StateLock {
 public:
  // Takes the lock for `activity`, making the directory when there is none. Unavailable when a running world
  // holds it, DeadlineExceeded when a cleaner does and does not come to an end.
  static absl::StatusOr<StateLock> Acquire(Activity activity);
  // The same without waiting for anyone.
  static absl::StatusOr<StateLock> TryAcquire(Activity activity);

  StateLock(StateLock&&) noexcept = default;
  StateLock& operator=(StateLock&&) noexcept = default;

  absl::Status WriteHosts(const std::vector<std::string>& names);
  absl::Status WriteMadeNetnsDirectory();
  // Removes the directory with all in it; the lock is then of no further use.
  void RemoveState();

 private:
  explicit StateLock(UniqueFd fd) : fd_(std::move(fd)) {}
  UniqueFd fd_;
};

// Who holds the lock, if anyone does.
std::optional<Owner> CurrentOwner();
// Is there a state, stale or not?
bool StateExists();
std::vector<std::string> StateHosts();
bool StateMadeNetnsDirectory();

}  // namespace perigee::world
