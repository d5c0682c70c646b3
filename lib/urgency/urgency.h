// Who waits for whom on a core. A thread that answers at once stands beside threads whose work takes
// milliseconds anyhow; without a word, Linux lets those that woke first finish first. Why, and figures:
// docs/adr/0011-known-clients-first.md.
//
// What is said here holds for the calling thread and all that it starts, and is kept by a change of user.
#pragma once

#include <chrono>

#include "absl/status/status.h"
#include "lib/base/clock.h"

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

// What the calling thread has used of a core in all its life.
std::chrono::nanoseconds ThreadCpuTime();

// Lets this process RunRealtime also after it has become another user (RLIMIT_RTPRIO). Needs
// CAP_SYS_RESOURCE; without, nothing changes.
void KeepRealtime();

// Who may go before everybody else: a thread that leaves them half of its core. Pure.
class Modesty {
 public:
  static constexpr std::chrono::milliseconds kWindow{100};
  static constexpr double kMostOfCore = 0.5;
  // A thread that was not modest has to use less than this for kProbation windows in a row.
  static constexpr double kLittleOfCore = 0.25;
  static constexpr int kProbation = 10;

  // What the thread had used of a core in all its life, and when. At least kWindow after the last call; the
  // first one only begins.
  bool MayComeFirst(MonoTime now, std::chrono::nanoseconds cpu_time);

 private:
  MonoTime last_{};
  std::chrono::nanoseconds last_cpu_time_{};
  int probation_ = 0;  // windows left
};

// The thread that makes it runs in real time as long as it is modest, and promptly otherwise: a flood that
// keeps it busy can't take the core from ssh. Where that is not `wanted` or not permitted it runs promptly,
// for good. To be used on that thread alone.
class ModestRealtime {
 public:
  explicit ModestRealtime(bool wanted);

  // To be called when a piece of work begins. Costs nothing but ten times a second.
  void Review(MonoTime now) {
    if (now >= next_review_) ReviewNow(now);
  }

 private:
  void ReviewNow(MonoTime now);

  Modesty modesty_;
  MonoTime next_review_;
  bool first_;
};

}  // namespace perigee
