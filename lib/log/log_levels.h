// What is logged: the modules that log, and from which level on each does.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"

namespace perigee {

enum class LogLevel : uint8_t { kDebug, kInfo, kWarning, kError, kOff };

// What a line is about: a room of a program, or what programs share.
enum class LogModule : uint8_t {
  kMain,     // start, reload, stop
  kService,  // users, systemd
  kRpc,      // control ports
  kLogFile,  // access and decision logs
  kDnsAdmin,
  kDnsFleet,
  kDnsGeneration,
  kDnsMeasurement,
  kDnsState,
  kProberScamper,
  kReplicaCache,
  kReplicaControl,
  kReplicaFetch,
  kReplicaSession,
  kCount,
};
inline constexpr size_t kLogModules = static_cast<size_t>(LogModule::kCount);

std::string_view Word(LogModule module);  // "dns.measurement"

class LogLevels {
 public:
  explicit LogLevels(LogLevel all = LogLevel::kInfo) { of_.fill(all); }

  LogLevel& operator[](LogModule module) { return of_[static_cast<size_t>(module)]; }
  LogLevel operator[](LogModule module) const { return of_[static_cast<size_t>(module)]; }
  friend bool operator==(const LogLevels&, const LogLevels&) = default;

 private:
  std::array<LogLevel, kLogModules> of_;
};

// Pure: of a list such as "warning,dns.measurement=debug". LEVEL is for all modules, MODULE=LEVEL for one,
// and PROGRAM=LEVEL, such as dns=debug, for those that begin with it and a dot. Later ones win; modules that
// none is about log from info on. "warn" is "warning" too. InvalidArgument names the word that is wrong, and
// all that are right.
absl::StatusOr<LogLevels> ParseLogLevels(std::string_view text);

// "main, service, …": for help and errors.
std::string LogModuleWords();

}  // namespace perigee
