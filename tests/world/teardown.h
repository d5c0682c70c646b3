// Removing a world, whoever made it: the processes in its namespaces, the namespaces, their mounts, its
// state.
#pragma once

#include <sys/types.h>

#include <chrono>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "tests/world/state.h"

namespace perigee::world {

// Between SIGTERM and SIGKILL to the processes in the namespaces.
inline constexpr std::chrono::milliseconds kTerminateGrace{1000};
// SIGKILL is sent to whatever is found this often: a killed process may have had a child just then.
inline constexpr int kMaxKillRounds = 10;
inline constexpr std::chrono::milliseconds kKillRound{200};

// Removes what the state names. The caller holds the lock, and the emulator is dead or the caller.
absl::Status RemoveRemains();
// The same, and then the state.
absl::Status RemoveWorld(StateLock& lock);

// Forks a small process that waits for the calling process to die by whatever means, and then does
// RemoveWorld unless somebody else has. Call it after the state is locked and before there are descriptors
// that must close with the caller. Returns the child's pid.
absl::StatusOr<pid_t> StartGuardian();

// Asks the process, if it is there, to terminate; kills it after `grace`.
void StopProcess(pid_t pid, std::chrono::milliseconds grace);

}  // namespace perigee::world
