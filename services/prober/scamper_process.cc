#include "services/prober/scamper_process.h"

#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <utility>
#include <vector>

#include "fmt/format.h"
#include "lib/log/log.h"

namespace perigee {
namespace {

constexpr int kTermPatienceMs = 500;   // between SIGTERM and SIGKILL
constexpr int kStopPatienceMs = 1000;  // for the watchdog as a whole
constexpr int kExecFailed = 127;
constexpr int kSignalled = 128;
constexpr size_t kMaxSocketPath = 107;
// scamper's most; its default of 20 packets a second would add 50 ms to every measurement.
constexpr const char* kPacketsPerSecond = "10000";
// scamper looks up "localhost" before it listens: on a host without /etc/hosts whose name server is out of
// reach that would take many seconds. It is given addresses only, so it needs no patience with DNS.
constexpr char kResolverOptions[] = "RES_OPTIONS=timeout:1 attempts:1";

int PidfdOpen(pid_t pid) { return static_cast<int>(syscall(SYS_pidfd_open, pid, 0)); }

absl::Status Errno(std::string_view what) {
  return absl::InternalError(fmt::format("{}: {}", what, std::strerror(errno)));
}

struct Launch {
  const char* binary;
  char* const* argv;
  char* const* environment;
  const char* socket;
  const char* folder;
};

// From here to the end of RunWatchdog everything runs between fork and exec of a program with threads: only
// async-signal-safe calls.

[[noreturn]] void ExecScamper(const Launch& launch) {
  const int null = open("/dev/null", O_RDWR);
  dup2(null, STDIN_FILENO);
  dup2(null, STDOUT_FILENO);
  syscall(SYS_close_range, 3, ~0U, 0);
  umask(0);  // root makes the socket, and we may not be root; its folder keeps others out
  execve(launch.binary, launch.argv, launch.environment);
  _exit(kExecFailed);
}

// Our callers block stop signals and ignore SIGPIPE; scamper should do neither.
void ResetSignals() {
  signal(SIGPIPE, SIG_DFL);
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);
}

int ExitStatusOf(pid_t pid) {
  int status = 0;
  while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {
  }
  return WIFEXITED(status) ? WEXITSTATUS(status) : kSignalled + WTERMSIG(status);
}

void RemoveFolder(const Launch& launch) {
  unlink(launch.socket);
  rmdir(launch.folder);
}

[[noreturn]] void RunWatchdog(int lifeline, const Launch& launch) {
  prctl(PR_SET_NAME, "prober-watchdog");
  setpgid(0, 0);  // a terminal's ^C is for the prober alone
  dup2(lifeline, 3);
  syscall(SYS_close_range, 4, ~0U, 0);
  ResetSignals();
  const pid_t scamper = fork();
  if (scamper < 0) _exit(kExecFailed);
  if (scamper == 0) ExecScamper(launch);
  // It has the prober's command line, so that who ends probers by name (pkill -f) reaches it too; it ends
  // when the prober has.
  for (const int stop : {SIGTERM, SIGINT, SIGHUP, SIGQUIT}) signal(stop, SIG_IGN);
  const int exit_fd = PidfdOpen(scamper);
  pollfd events[] = {{exit_fd, POLLIN, 0}, {3, POLLIN, 0}};
  while (poll(events, 2, -1) < 0 && errno == EINTR) {
  }
  if (events[0].revents == 0) {
    kill(scamper, SIGTERM);
    if (poll(events, 1, kTermPatienceMs) <= 0) kill(scamper, SIGKILL);
    char word;
    const bool orphaned = read(3, &word, 1) != 1;
    if (orphaned) RemoveFolder(launch);
  }
  _exit(ExitStatusOf(scamper));
}

std::string BaseFolder() {
  for (const char* variable : {"RUNTIME_DIRECTORY", "XDG_RUNTIME_DIR"}) {
    const char* value = getenv(variable);
    if (value != nullptr && access(value, W_OK) == 0) return value;
  }
  return access("/run", W_OK) == 0 ? "/run" : "/tmp";
}

}  // namespace

UniqueFd& UniqueFd::operator=(UniqueFd&& other) noexcept {
  std::swap(fd_, other.fd_);
  UniqueFd dropped(std::exchange(other.fd_, -1));
  return *this;
}

UniqueFd::~UniqueFd() {
  if (fd_ >= 0) close(fd_);
}

absl::StatusOr<std::string> FindScamper(const std::string& program) {
  const bool is_path = program.find('/') != program.npos;
  if (is_path && access(program.c_str(), X_OK) == 0) return program;
  const char* variable = getenv("PATH");
  std::string_view path = is_path || variable == nullptr ? "" : variable;
  while (!path.empty()) {
    const size_t end = std::min(path.find(':'), path.size());
    const std::string candidate = fmt::format("{}/{}", path.substr(0, end), program);
    if (access(candidate.c_str(), X_OK) == 0) return candidate;
    path.remove_prefix(std::min(end + 1, path.size()));
  }
  return absl::NotFoundError(fmt::format(
      "no program \"{}\": install the package scamper, or name its path with --scamper", program));
}

absl::StatusOr<RunFolder> RunFolder::Make() {
  std::string path = BaseFolder() + "/perigee-prober-XXXXXX";
  if (mkdtemp(path.data()) == nullptr) return Errno(path);
  RunFolder folder(std::move(path));
  if (folder.socket_path().size() > kMaxSocketPath) {
    return absl::InvalidArgumentError(fmt::format("{}: too long for a socket's path", folder.socket_path()));
  }
  return folder;
}

RunFolder::~RunFolder() {
  std::error_code ignored;
  if (!path_.empty()) std::filesystem::remove_all(path_, ignored);
}

absl::StatusOr<ScamperProcess> ScamperProcess::Start(const std::string& binary, const RunFolder& folder) {
  std::string socket = folder.socket_path();
  unlink(socket.c_str());  // scamper won't start on a socket that its predecessor left
  std::string name = "scamper", option_u = "-U", option_p = "-p", pps = kPacketsPerSecond;
  char* const argv[] = {name.data(), option_u.data(), socket.data(), option_p.data(), pps.data(), nullptr};
  std::string resolver_options = kResolverOptions;
  std::vector<char*> environment;
  for (char** variable = environ; *variable != nullptr; ++variable) environment.push_back(*variable);
  environment.push_back(resolver_options.data());
  environment.push_back(nullptr);
  int lifeline[2];
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, lifeline) != 0) return Errno("socketpair");
  UniqueFd theirs(lifeline[0]), ours(lifeline[1]);
  const pid_t watchdog = fork();
  if (watchdog < 0) return Errno("fork");
  if (watchdog == 0) {
    RunWatchdog(theirs.get(),
                {binary.c_str(), argv, environment.data(), socket.c_str(), folder.path().c_str()});
  }
  UniqueFd pidfd(PidfdOpen(watchdog));
  ScamperProcess process(std::move(ours), std::move(pidfd), watchdog);
  if (process.exit_fd() < 0) return Errno("pidfd_open");
  return process;
}

ScamperProcess::~ScamperProcess() {
  if (pidfd_.get() < 0) return;
  RequestEnd();
  pollfd event{pidfd_.get(), POLLIN, 0};
  int ended = 0;
  while ((ended = poll(&event, 1, kStopPatienceMs)) < 0 && errno == EINTR) {
  }
  if (ended == 0) {
    LogWarning(LogModule::kProberScamper, {},
               "scamper runs on: it has become another user, whom this process may end with CAP_KILL only");
    kill(watchdog_, SIGKILL);
  }
  Reap();
}

void ScamperProcess::RequestEnd() {
  send(lifeline_.get(), "q", 1, MSG_NOSIGNAL);
  lifeline_ = UniqueFd();
}

int ScamperProcess::Reap() {
  const UniqueFd ended(pidfd_.release());
  return ExitStatusOf(watchdog_);
}

}  // namespace perigee
