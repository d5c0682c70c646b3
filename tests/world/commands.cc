#include "tests/world/commands.h"

#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <utility>

#include "fmt/format.h"
#include "lib/base/clock.h"
#include "lib/log/log.h"
#include "lib/program/program.h"
#include "tests/world/control_protocol.h"
#include "tests/world/control_server.h"
#include "tests/world/emulator.h"
#include "tests/world/namespaces.h"
#include "tests/world/quantities.h"
#include "tests/world/state.h"
#include "tests/world/teardown.h"
#include "tests/world/text.h"
#include "tests/world/world_description.h"

namespace perigee::world {
namespace {

constexpr std::string_view kProgram = "world";
constexpr int kExitUsage = 2, kExitCannotRun = 126;
// A world that is told to stop first ends the processes in it.
constexpr std::chrono::milliseconds kStopGrace = kTerminateGrace + kMaxKillRounds * kKillRound;

int FailWith(const absl::Status& status) { return Fail(kProgram, status); }

absl::Status RequireRoot() {
  if (geteuid() == 0) return absl::OkStatus();
  return absl::PermissionDeniedError("network namespaces and TAP devices need root: run it with sudo");
}

std::vector<std::string> Names(const World& world) {
  std::vector<std::string> names;
  for (const Host& host : world.hosts()) names.push_back(host.name);
  return names;
}

absl::StatusOr<World> LoadSelected(const UpOptions& options) {
  auto world = LoadWorld(options.description);
  if (!world.ok()) return world;
  return world->Select(options.select);
}

// From here to RemoveWorld whatever happens to this process, the guardian knows what to remove.
absl::StatusOr<pid_t> Prepare(StateLock& lock, const World& world) {
  if (!StateHosts().empty()) {
    LogInfo(LogModule::kMain, {}, "removing what an earlier world has left");
    if (auto status = RemoveRemains(); !status.ok()) return status;
  }
  if (auto status = CheckNoNamespaces(Names(world)); !status.ok()) return status;
  if (auto status = lock.WriteHosts(Names(world)); !status.ok()) return status;
  const auto made = EnsureNetnsDirectory();
  if (!made.ok()) return made.status();
  if (*made) {
    if (auto status = lock.WriteMadeNetnsDirectory(); !status.ok()) return status;
  }
  return StartGuardian();
}

absl::Status SayReady(const UpOptions& options, size_t hosts, std::chrono::nanoseconds took) {
  const std::string line = fmt::format("ready hosts={} bring_up_ms={:.1f} pid={} control={}\n", hosts,
                                       static_cast<double>(took.count()) / 1e6, getpid(), kControlSocket);
  fmt::print("{}", line);
  fflush(stdout);
  if (options.ready_fd >= 0) {
    if (write(options.ready_fd, line.data(), line.size()) < 0) return ErrnoStatus("--ready-fd");
    if (options.ready_fd > STDERR_FILENO) close(options.ready_fd);
  }
  return options.ready_file.empty() ? absl::OkStatus() : WriteFile(options.ready_file, line);
}

absl::Status BringUpAndRun(const UpOptions& options, World world, MonoTime start) {
  const size_t hosts = world.hosts().size();
  auto control = ControlServer::Listen(kControlSocket);
  if (!control.ok()) return control.status();
  auto emulator = Emulator::BringUp(std::move(world), options.seed, *std::move(control));
  if (!emulator.ok()) return emulator.status();
  if (auto status = EnterRealTime(kRealTimePriority); !status.ok()) {
    LogWarning(LogModule::kMain, {}, "RTTs will be less exact: {}", std::string(status.message()));
  }
  if (auto status = SayReady(options, hosts, SystemClock().Now() - start); !status.ok()) return status;
  return emulator->Run();
}

std::string Padded(const std::vector<std::vector<std::string_view>>& rows) {
  std::vector<size_t> widths;
  for (const auto& row : rows) {
    widths.resize(std::max(widths.size(), row.size()));
    for (size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], row[i].size());
  }
  std::string out;
  for (const auto& row : rows) {
    for (size_t i = 0; i + 1 < row.size(); ++i) out += fmt::format("{:<{}}  ", row[i], widths[i]);
    out += fmt::format("{}\n", row.back());
  }
  return out;
}

absl::StatusOr<std::string> HostLines(const std::string& description) {
  if (description.empty()) return AskWorld(kControlSocket, "hosts");
  const auto world = LoadWorld(description);
  if (!world.ok()) return world.status();
  std::string lines;
  for (const Host& host : world->hosts()) lines += HostLine(host, host.knobs, false) + "\n";
  return lines;
}

absl::Status UseOwnResolvConf(std::string_view host) {
  const std::string file = fmt::format("/etc/netns/{}/resolv.conf", NamespaceName(host));
  if (access(file.c_str(), F_OK) != 0) return absl::OkStatus();
  if (unshare(CLONE_NEWNS) != 0 || mount("", "/", "none", MS_SLAVE | MS_REC, nullptr) != 0 ||
      mount(file.c_str(), "/etc/resolv.conf", "none", MS_BIND, nullptr) != 0) {
    return ErrnoStatus(file);
  }
  return absl::OkStatus();
}

}  // namespace

int Up(const UpOptions& options) {
  const MonoTime start = SystemClock().Now();
  auto world = LoadSelected(options);
  if (!world.ok()) return FailWith(world.status());
  if (auto status = RequireRoot(); !status.ok()) return FailWith(status);
  const StopSignal blocked;  // the emulator waits for them itself
  auto lock = StateLock::Acquire(Activity::kRunning);
  if (!lock.ok()) return FailWith(lock.status());
  const auto guardian = Prepare(*lock, *world);
  if (!guardian.ok()) return FailWith(guardian.status());
  absl::Status status = BringUpAndRun(options, *std::move(world), start);
  status.Update(RemoveWorld(*lock));
  kill(*guardian, SIGKILL);
  waitpid(*guardian, nullptr, 0);
  return status.ok() ? 0 : FailWith(status);
}

int Down() {
  if (auto status = RequireRoot(); !status.ok()) return FailWith(status);
  if (!StateExists()) return 0;
  const auto owner = CurrentOwner();
  if (owner && owner->activity == Activity::kRunning) StopProcess(owner->pid, kStopGrace);
  auto lock = StateLock::Acquire(Activity::kCleaning);
  if (!lock.ok()) return FailWith(lock.status());
  const absl::Status status = RemoveWorld(*lock);
  return status.ok() ? 0 : FailWith(status);
}

int Hosts(const std::string& description) {
  const auto lines = HostLines(description);
  if (!lines.ok()) return FailWith(lines.status());
  std::vector<std::vector<std::string_view>> rows = {{"NAME", "ROLE", "CITY", "IPV4", "IPV6", "KNOBS"}};
  for (const std::string_view line : Split(*lines, '\n')) rows.push_back(Split(line, '\t'));
  fmt::print("{}", Padded(rows));
  return 0;
}

int PrintRtt(const std::string& a, const std::string& b, const std::string& description) {
  if (description.empty()) return Request(fmt::format("rtt {} {}", a, b));
  const auto world = LoadWorld(description);
  if (!world.ok()) return FailWith(world.status());
  const auto rtt = world->Rtt(std::string_view(a), std::string_view(b));
  if (!rtt.ok()) return FailWith(rtt.status());
  fmt::print("{}\n", FormatMilliseconds(*rtt));
  return 0;
}

int Request(const std::string& request) {
  const auto answer = AskWorld(kControlSocket, request);
  if (!answer.ok()) return FailWith(answer.status());
  fmt::print("{}", *answer);
  return 0;
}

int Check(const CheckOptions& options) {
  if (auto status = RequireRoot(); !status.ok()) return FailWith(status);
  const auto hosts = AskWorld(kControlSocket, "hosts"), rtts = AskWorld(kControlSocket, "rtts");
  if (!hosts.ok()) return FailWith(hosts.status());
  if (!rtts.ok()) return FailWith(rtts.status());
  const auto world = ParseCheckedWorld(*hosts, *rtts);
  if (!world.ok()) return FailWith(world.status());
  const auto report = RunCheck(*world, options);
  if (!report.ok()) return FailWith(report.status());
  fmt::print("{}\n", report->Summary(*world));
  if (report->ShortestError() <= kMaxShortestError) return 0;
  return FailWith(absl::InternalError(
      fmt::format("the error of the shortest answers is above {} us", kMaxShortestError.count())));
}

int Exec(const std::vector<std::string>& host_and_command) {
  auto words = host_and_command;
  if (words.size() > 1 && words[1] == "--") words.erase(words.begin() + 1);
  if (words.size() < 2) {
    fmt::print(stderr, "{}: usage: world exec HOST -- COMMAND [ARGUMENT…]\n", kProgram);
    return kExitUsage;
  }
  absl::Status status = RequireRoot();
  if (status.ok()) status = EnterNamespace(words[0]);
  if (absl::IsNotFound(status)) status = absl::NotFoundError(fmt::format("no host '{}' is up", words[0]));
  if (status.ok()) status = UseOwnResolvConf(words[0]);
  if (!status.ok()) return FailWith(status);
  std::vector<char*> arguments;
  for (size_t i = 1; i < words.size(); ++i) arguments.push_back(words[i].data());
  arguments.push_back(nullptr);
  execvp(arguments[0], arguments.data());
  FailWith(ErrnoStatus(words[1]));
  return kExitCannotRun;
}

}  // namespace perigee::world
