#include "lib/log/log.h"

#include <array>
#include <iterator>

#include "lib/log/json_line.h"
#include "spdlog/pattern_formatter.h"
#include "spdlog/sinks/stdout_color_sinks.h"
#include "spdlog/spdlog.h"

namespace perigee {
namespace {

constexpr char kTextPattern[] = "%Y-%m-%dT%H:%M:%S.%e%z %^%-7l%$ %n: %v";
constexpr char kJsonPattern[] = R"({"time":"%Y-%m-%dT%H:%M:%S.%eZ","level":"%l","module":"%n",%v})";

spdlog::level::level_enum ToSpdlog(LogLevel level) {
  switch (level) {
    case LogLevel::kDebug:
      return spdlog::level::debug;
    case LogLevel::kInfo:
      return spdlog::level::info;
    case LogLevel::kWarning:
      return spdlog::level::warn;
    case LogLevel::kError:
      return spdlog::level::err;
    case LogLevel::kOff:
      return spdlog::level::off;
  }
  return spdlog::level::off;
}

struct Loggers {
  explicit Loggers(const LogOptions& options) : format(options.format) {
    auto sink = options.sink ? options.sink : std::make_shared<spdlog::sinks::stderr_color_sink_mt>();
    const bool json = format == LogFormat::kJson;
    sink->set_formatter(std::make_unique<spdlog::pattern_formatter>(
        json ? kJsonPattern : kTextPattern,
        json ? spdlog::pattern_time_type::utc : spdlog::pattern_time_type::local));
    for (size_t i = 0; i < kLogModules; ++i) {
      const auto module = static_cast<LogModule>(i);
      of[i] = std::make_unique<spdlog::logger>(std::string(Word(module)), sink);
    }
    SetLevels(options.levels);
  }

  void SetLevels(const LogLevels& levels) {
    for (size_t i = 0; i < kLogModules; ++i) of[i]->set_level(ToSpdlog(levels[static_cast<LogModule>(i)]));
  }

  LogFormat format;
  std::array<std::unique_ptr<spdlog::logger>, kLogModules> of;
};

// A process has one standard error. Never destroyed: threads may log while the process ends.
std::unique_ptr<Loggers>& Current() {
  static auto& current = *new std::unique_ptr<Loggers>(std::make_unique<Loggers>(LogOptions{}));
  return current;
}

std::string AsText(std::string_view message) {
  std::string text;
  for (const char c : message) {
    const auto octet = static_cast<uint8_t>(c);
    if (octet < 0x20 || octet == 0x7f) {
      fmt::format_to(std::back_inserter(text), "\\x{:02x}", octet);
    } else {
      text += c;
    }
  }
  return text;
}

// What follows the pattern's own fields.
std::string AsJson(LogFields fields, std::string_view message) {
  std::string json = "\"message\":";
  AppendJsonString(message, &json);
  for (const LogField& field : fields) {
    if (const auto* text = std::get_if<std::string_view>(&field.value)) {
      AppendJsonField(field.key, *text, &json);
    } else {
      fmt::format_to(std::back_inserter(json), ",\"{}\":{}", field.key, std::get<int64_t>(field.value));
    }
  }
  return json;
}

}  // namespace

void StartLogging(const LogOptions& options) { Current() = std::make_unique<Loggers>(options); }

void SetLogLevels(const LogLevels& levels) { Current()->SetLevels(levels); }

bool LogEnabled(LogModule module, LogLevel level) {
  return Current()->of[static_cast<size_t>(module)]->should_log(ToSpdlog(level));
}

void WriteLog(LogModule module, LogLevel level, LogFields fields, std::string_view message) {
  const Loggers& loggers = *Current();
  const std::string line = loggers.format == LogFormat::kJson ? AsJson(fields, message) : AsText(message);
  loggers.of[static_cast<size_t>(module)]->log(ToSpdlog(level),
                                               spdlog::string_view_t(line.data(), line.size()));
}

}  // namespace perigee
