#include "lib/log/log_levels.h"

#include <algorithm>
#include <optional>

#include "fmt/format.h"
#include "fmt/ranges.h"

namespace perigee {
namespace {

constexpr std::array<std::string_view, 5> kLevels = {"debug", "info", "warning", "error", "off"};
constexpr std::array<std::string_view, kLogModules> kModules = {
    "main",           "service",         "rpc",       "log-file",       "dns.admin",     "dns.fleet",
    "dns.generation", "dns.measurement", "dns.state", "prober.scamper", "replica.cache", "replica.control",
    "replica.fetch",  "replica.session"};

std::optional<LogLevel> LevelOf(std::string_view word) {
  if (word == "warn") return LogLevel::kWarning;
  const auto* const found = std::find(kLevels.begin(), kLevels.end(), word);
  if (found == kLevels.end()) return std::nullopt;
  return static_cast<LogLevel>(found - kLevels.begin());
}

bool IsAbout(std::string_view word, std::string_view module) {
  if (!module.starts_with(word)) return false;
  return module.size() == word.size() || module[word.size()] == '.';
}

// One item of the list.
absl::Status Apply(std::string_view item, LogLevels* levels) {
  const size_t equals = item.find('=');
  const std::string_view word = item.substr(equals == std::string_view::npos ? 0 : equals + 1);
  const std::optional<LogLevel> level = LevelOf(word);
  if (!level) {
    return absl::InvalidArgumentError(
        fmt::format("\"{}\" is no level: there are {}", word, fmt::join(kLevels, ", ")));
  }
  if (equals == std::string_view::npos) {
    *levels = LogLevels(*level);
    return absl::OkStatus();
  }
  const std::string_view about = item.substr(0, equals);
  bool any = false;
  for (size_t i = 0; i < kLogModules; ++i) {
    if (!IsAbout(about, kModules[i])) continue;
    (*levels)[static_cast<LogModule>(i)] = *level;
    any = true;
  }
  if (any) return absl::OkStatus();
  return absl::InvalidArgumentError(
      fmt::format("\"{}\" is no module: there are {}", about, LogModuleWords()));
}

}  // namespace

std::string_view Word(LogModule module) { return kModules[static_cast<size_t>(module)]; }

std::string LogModuleWords() { return fmt::format("{}", fmt::join(kModules, ", ")); }

absl::StatusOr<LogLevels> ParseLogLevels(std::string_view text) {
  LogLevels levels;
  while (true) {
    const size_t comma = text.find(',');
    if (absl::Status status = Apply(text.substr(0, comma), &levels); !status.ok()) return status;
    if (comma == std::string_view::npos) return levels;
    text.remove_prefix(comma + 1);
  }
}

}  // namespace perigee
