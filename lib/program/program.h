// What the main() of every program does the same way: flags, logging, errors and stop signals.
#pragma once

#include <chrono>
#include <csignal>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "absl/status/status.h"

namespace CLI {
class App;
}

namespace perigee {

// Of all programs, such as "0.1.0".
std::string_view Version();

// Adds --version to `app` and parses. Returns nothing when the program should go on, else its exit code: 0
// after --help or --version, 2 after a wrong flag, with what is wrong on standard error.
std::optional<int> ParseCommandLine(CLI::App& app, int argc, char** argv);

// Of --log-level and --log-format; see lib/log/log.h.
struct LogFlags {
  std::string levels;  // empty: the fleet file's
  std::string format = "text";
};
// Declares them, and checks what they are given.
void AddLogFlags(CLI::App& app, LogFlags& flags);
// From info on, where the fleet file has the say, until TakeLogLevels.
void StartLogging(const LogFlags& flags);
// `fleet_level` is the fleet file's log.level, which its reader has checked; --log-level counts before it.
// Any thread, and again after each reload.
void TakeLogLevels(const LogFlags& flags, const std::string& fleet_level);

// Declares --user and --group, for BecomeUser (lib/service/privileges.h). `when_and_what` ends the sentence
// "Become this user, for good, ".
void AddUserFlags(CLI::App& app, std::string& user, std::string& group, std::string_view when_and_what);

// Takes as many file descriptors as the system gives, and returns how many: every connection needs one.
uint64_t RaiseDescriptorLimit();

// Prints "program: message" on standard error and returns the exit code: 2 for InvalidArgument and NotFound
// (the command line or the fleet file is wrong), 1 for anything else.
int Fail(std::string_view program, const absl::Status& status);

// Something to do at least so often; never with an interval of zero.
struct Beat {
  std::chrono::microseconds interval{};
  std::function<void()> beat;
};

// SIGINT, SIGTERM and SIGHUP as something to wait for. Make it before any thread is started: the constructor
// blocks the signals in the calling thread, and threads inherit that. SIGPIPE is ignored from here on.
class StopSignal {
 public:
  StopSignal();
  // Returns the number of the signal that ends the program, once it has come. Until then each SIGHUP runs
  // `reload`, and `beat` comes at once, after each reload and then after every interval.
  int Wait(const std::function<void()>& reload, const Beat& beat = {});

 private:
  sigset_t signals_;
};

}  // namespace perigee
