#include "tests/world/teardown.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "lib/base/clock.h"
#include "tests/world/namespaces.h"

namespace perigee::world {
namespace {

UniqueFd OpenPidFd(pid_t pid) { return UniqueFd(static_cast<int>(syscall(SYS_pidfd_open, pid, 0))); }

void Signal(const UniqueFd& process, int number) {
  syscall(SYS_pidfd_send_signal, process.get(), number, nullptr, 0);
}

// Until all have ended or the time is over.
void WaitFor(const std::vector<UniqueFd>& processes, std::chrono::milliseconds limit) {
  const SystemClock clock;
  const MonoTime deadline = clock.Now() + limit;
  for (const UniqueFd& process : processes) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - clock.Now());
    pollfd poll_for{.fd = process.get(), .events = POLLIN};
    poll(&poll_for, 1, static_cast<int>(std::max<int64_t>(left.count(), 0)));
  }
}

// How many there were.
size_t SignalAll(const std::vector<std::string>& hosts, int number, std::chrono::milliseconds limit) {
  std::vector<UniqueFd> processes;
  for (const pid_t pid : ProcessesIn(hosts)) {
    if (pid == getpid()) continue;
    UniqueFd process = OpenPidFd(pid);
    if (process.valid()) processes.push_back(std::move(process));
  }
  for (const UniqueFd& process : processes) Signal(process, number);
  WaitFor(processes, limit);
  return processes.size();
}

void EndProcesses(const std::vector<std::string>& hosts) {
  if (SignalAll(hosts, SIGTERM, kTerminateGrace) == 0) return;
  for (int round = 0; round < kMaxKillRounds && SignalAll(hosts, SIGKILL, kKillRound) > 0; ++round) {
  }
}

[[noreturn]] void GuardianMain(pid_t emulator) {
  const UniqueFd death(fcntl(OpenPidFd(emulator).get(), F_DUPFD, STDERR_FILENO + 1));
  setsid();
  prctl(PR_SET_NAME, "world-guardian");
  sigset_t all;
  sigfillset(&all);
  sigprocmask(SIG_BLOCK, &all, nullptr);
  // Standard streams too: a pipe into which the emulator prints ends when the emulator does.
  close_range(0, static_cast<unsigned>(death.get()) - 1, 0);
  close_range(static_cast<unsigned>(death.get()) + 1, ~0U, 0);
  if (getppid() == emulator) {
    pollfd poll_for{.fd = death.get(), .events = POLLIN};
    while (poll(&poll_for, 1, -1) < 0) {
    }
  }
  if (!StateExists()) _exit(0);
  auto lock = StateLock::TryAcquire(Activity::kCleaning);
  _exit(lock.ok() && RemoveWorld(*lock).ok() ? 0 : 1);
}

}  // namespace

absl::Status RemoveRemains() {
  const std::vector<std::string> hosts = StateHosts();
  EndProcesses(hosts);
  absl::Status first = absl::OkStatus();
  for (const std::string& host : hosts) first.Update(RemoveNamespace(host));
  if (first.ok() && StateMadeNetnsDirectory()) RemoveNetnsDirectoryIfEmpty();
  return first;
}

absl::Status RemoveWorld(StateLock& lock) {
  auto status = RemoveRemains();
  if (status.ok()) lock.RemoveState();
  return status;
}

absl::StatusOr<pid_t> StartGuardian() {
  const pid_t emulator = getpid();
  const pid_t child = fork();
  if (child < 0) return ErrnoStatus("forking the guardian");
  if (child == 0) GuardianMain(emulator);
  return child;
}

void StopProcess(pid_t pid, std::chrono::milliseconds grace) {
  std::vector<UniqueFd> process;
  process.push_back(OpenPidFd(pid));
  if (!process[0].valid()) return;
  Signal(process[0], SIGTERM);
  WaitFor(process, grace);
  Signal(process[0], SIGKILL);
  WaitFor(process, kKillRound);
}

}  // namespace perigee::world
