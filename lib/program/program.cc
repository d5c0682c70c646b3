#include "lib/program/program.h"

#include <pthread.h>
#include <signal.h>
#include <sys/resource.h>

#include <cstdio>

#include "CLI/CLI.hpp"
#include "fmt/format.h"
#include "spdlog/sinks/stdout_color_sinks.h"
#include "spdlog/spdlog.h"

namespace perigee {
namespace {

constexpr int kExitUsage = 2;

sigset_t StopSignals() {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGINT);
  sigaddset(&set, SIGTERM);
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

void AddLogLevelFlag(CLI::App& app, std::string& level) {
  app.add_option("--log-level", level, "What to log: debug, info, warning, error or off")
      ->check(CLI::IsMember({"debug", "info", "warning", "error", "off"}))
      ->capture_default_str();
}

void AddUserFlags(CLI::App& app, std::string& user, std::string& group, std::string_view when_and_what) {
  auto* option = app.add_option("--user", user, fmt::format("Become this user, for good, {}", when_and_what));
  app.add_option("--group", group, "With this group [the user's own]")->needs(option);
}

void InitLogging(std::string_view program, std::string_view level) {
  auto logger = spdlog::stderr_color_mt(std::string(program));
  logger->set_pattern("%Y-%m-%dT%H:%M:%S.%e%z %^%-7l%$ %n: %v");
  spdlog::set_default_logger(std::move(logger));
  spdlog::set_level(spdlog::level::from_str(std::string(level)));
}

void RaiseDescriptorLimit() {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
}

int Fail(std::string_view program, const absl::Status& status) {
  fmt::print(stderr, "{}: {}\n", program, std::string(status.message()));
  return absl::IsInvalidArgument(status) || absl::IsNotFound(status) ? kExitUsage : 1;
}

StopSignal::StopSignal(bool takes_reloads) : signals_(StopSignals()) {
  if (takes_reloads) sigaddset(&signals_, SIGHUP);
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
      if (reload) reload();
    } else if (number > 0) {
      return number;
    }
  }
}

}  // namespace perigee
