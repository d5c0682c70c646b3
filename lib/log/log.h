// The log of a program: lines on standard error, each of a module, in text or JSON.
//
// The message is for people and says all that there is to say; the fields give its key facts to machines, and
// are written in JSON only. No octet of either can begin another line, nor end the JSON.
//
//   2026-11-24T18:00:00.123+00:00 warning dns.fleet: prober of replica tokyo (192.0.2.20:4301) is down
//   {"time":"2026-11-24T18:00:00.123Z","level":"warning","module":"dns.fleet","message":"prober…",
//    "replica":"tokyo"}
#pragma once

#include <concepts>
#include <cstdint>
#include <initializer_list>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <variant>

#include "fmt/format.h"
#include "lib/log/log_levels.h"

namespace spdlog::sinks {
class sink;
}

namespace perigee {

enum class LogFormat : uint8_t { kText, kJson };

struct LogOptions {
  LogLevels levels = LogLevels();
  LogFormat format = LogFormat::kText;
  std::shared_ptr<spdlog::sinks::sink> sink;  // null: standard error
};

// Until it is called all modules log from info on, as text on standard error. Nobody may log meanwhile.
void StartLogging(const LogOptions& options);

// Other levels from here on. Thread-safe.
void SetLogLevels(const LogLevels& levels);

// A fact of a line. `key` is of letters and '_', and none of time, level, module, message.
struct LogField {
  LogField(std::string_view field, std::string_view text) : key(field), value(text) {}
  LogField(std::string_view field, std::integral auto number)
      : key(field), value(static_cast<int64_t>(number)) {}

  std::string_view key;
  std::variant<std::string_view, int64_t> value;
};
using LogFields = std::initializer_list<LogField>;

bool LogEnabled(LogModule module, LogLevel level);

// Whatever the level says. Thread-safe.
void WriteLog(LogModule module, LogLevel level, LogFields fields, std::string_view message);

template <typename... Args>
void Log(LogModule module, LogLevel level, LogFields fields, fmt::format_string<Args...> format,
         Args&&... args) {
  if (LogEnabled(module, level))
    WriteLog(module, level, fields, fmt::format(format, std::forward<Args>(args)...));
}

template <typename... Args>
void LogDebug(LogModule module, LogFields fields, fmt::format_string<Args...> format, Args&&... args) {
  Log(module, LogLevel::kDebug, fields, format, std::forward<Args>(args)...);
}

template <typename... Args>
void LogInfo(LogModule module, LogFields fields, fmt::format_string<Args...> format, Args&&... args) {
  Log(module, LogLevel::kInfo, fields, format, std::forward<Args>(args)...);
}

template <typename... Args>
void LogWarning(LogModule module, LogFields fields, fmt::format_string<Args...> format, Args&&... args) {
  Log(module, LogLevel::kWarning, fields, format, std::forward<Args>(args)...);
}

template <typename... Args>
void LogError(LogModule module, LogFields fields, fmt::format_string<Args...> format, Args&&... args) {
  Log(module, LogLevel::kError, fields, format, std::forward<Args>(args)...);
}

}  // namespace perigee
