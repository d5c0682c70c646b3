#include "lib/program/program.h"

#include <pthread.h>
#include <signal.h>
#include <sys/resource.h>

#include <cstdio>

#include "CLI/CLI.hpp"
#include "fmt/format.h"
#include "lib/log/log.h"

namespace perigee {
namespace {

constexpr int kExitUsage = 2;

sigset_t Signals() {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGINT);
  sigaddset(&set, SIGTERM);
  sigaddset(&set, SIGHUP);
  return set;
}

}  // namespace

std::string_view Version() { return PERIGEE_VERSION; }

std::optional<int> ParseCommandLine(CLI::App& app, int argc, char** argv) {
  app.set_version_flag("--version", fmt::format("{} {}", app.get_name(), Version()));
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : kExitUsage;
  }
  return std::nullopt;
}

void AddLogFlags(CLI::App& app, LogFlags& flags) {
  const auto check = [](const std::string& text) {
    return std::string(ParseLogLevels(text).status().message());
  };
  app.add_option(
         "--log-level", flags.levels,
         fmt::format(
             "From which level on to log: for all, or by module, such as warning,dns.measurement=debug "
             "or replica=debug [the fleet file's log.level, which a reload takes anew; info]. Modules: {}",
             LogModuleWords()))
      ->check(CLI::Validator(check, "{debug,info,warning,error,off}"));
  app.add_option("--log-format", flags.format, "text or json, a line each on standard error")
      ->check(CLI::IsMember({"text", "json"}))
      ->capture_default_str();
}

void AddUserFlags(CLI::App& app, std::string& user, std::string& group, std::string_view when_and_what) {
  auto* option = app.add_option("--user", user, fmt::format("Become this user, for good, {}", when_and_what));
  app.add_option("--group", group, "With this group [the user's own]")->needs(option);
}

void TakeLogLevels(const LogFlags& flags, const std::string& fleet_level) {
  const std::string& levels = flags.levels.empty() ? fleet_level : flags.levels;
  SetLogLevels(ParseLogLevels(levels).value_or(LogLevels()));
}

void StartLogging(const LogFlags& flags) {
  StartLogging(LogOptions{.levels = ParseLogLevels(flags.levels).value_or(LogLevels()),
                          .format = flags.format == "json" ? LogFormat::kJson : LogFormat::kText,
                          .sink = nullptr});
}

uint64_t RaiseDescriptorLimit() {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return 0;
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
  return limit.rlim_cur;
}

int Fail(std::string_view program, const absl::Status& status) {
  fmt::print(stderr, "{}: {}\n", program, std::string(status.message()));
  return absl::IsInvalidArgument(status) || absl::IsNotFound(status) ? kExitUsage : 1;
}

StopSignal::StopSignal() : signals_(Signals()) {
  pthread_sigmask(SIG_BLOCK, &signals_, nullptr);
  signal(SIGPIPE, SIG_IGN);
}

int StopSignal::Wait(const std::function<void()>& reload, const Beat& beat) {
  const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(beat.interval);
  const std::chrono::nanoseconds rest = beat.interval - seconds;
  const timespec interval{.tv_sec = seconds.count(), .tv_nsec = rest.count()};
  const bool beats = beat.interval > std::chrono::microseconds::zero();
  while (true) {
    if (beats) beat.beat();
    const int number = sigtimedwait(&signals_, nullptr, beats ? &interval : nullptr);
    if (number == SIGHUP) {
      reload();
    } else if (number > 0) {
      return number;
    }
  }
}

}  // namespace perigee
