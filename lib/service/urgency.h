// Who waits for whom on a core. A thread that answers at once stands beside threads whose work takes
// milliseconds anyhow; without a word, Linux lets those that woke first finish first. Why, and figures:
// docs/adr/0011-known-clients-first.md.
//
// What is said here holds for the calling thread and all that it starts, and is kept by a change of user.
#pragma once

#include "absl/status/status.h"

namespace perigee {

// This thread works in short runs: it goes first when it wakes, as far as its share of the core allows
// (sched_setattr(2)). Ends RunRealtime. Needs no privilege; before Linux 6.12 it changes nothing.
void RunPromptly();

// This thread gets a tenth of its core's time while a thread of normal priority wants the core too, and all
// of it otherwise. Ends RunRealtime. Needs no privilege, but there is no way back: only root may raise a
// priority.
void RunInBackground();

// This thread goes before every other program on its core: SCHED_FIFO at its lowest priority (sched(7)). Of
// the time that it would take for ever, the kernel keeps a twentieth for the others. PermissionDenied, saying
// what to do, for who has neither CAP_SYS_NICE nor a limit that allows it.
absl::Status RunRealtime();

}  // namespace perigee
