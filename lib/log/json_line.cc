#include "lib/log/json_line.h"

#include <chrono>

#include "fmt/format.h"

namespace perigee {

void AppendJsonString(std::string_view text, std::string* out) {
  *out += '"';
  for (const char c : text) {
    const auto octet = static_cast<uint8_t>(c);
    if (c == '"' || c == '\\') {
      *out += '\\';
      *out += c;
    } else if (octet < 0x20 || octet > 0x7e) {
      // Octet by octet: what is cut within a character of UTF-8 is still JSON.
      fmt::format_to(std::back_inserter(*out), "\\u{:04x}", octet);
    } else {
      *out += c;
    }
  }
  *out += '"';
}

void AppendJsonField(std::string_view key, std::string_view text, std::string* out) {
  fmt::format_to(std::back_inserter(*out), ",\"{}\":", key);
  AppendJsonString(text, out);
}

void AppendIsoTime(WallTime time, std::string* out) {
  const auto ms = std::chrono::floor<std::chrono::milliseconds>(time);
  const auto day = std::chrono::floor<std::chrono::days>(ms);
  const std::chrono::year_month_day date(day);
  const std::chrono::hh_mm_ss clock(ms - day);
  fmt::format_to(std::back_inserter(*out), "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}Z",
                 static_cast<int>(date.year()), static_cast<unsigned>(date.month()),
                 static_cast<unsigned>(date.day()), clock.hours().count(), clock.minutes().count(),
                 clock.seconds().count(), clock.subseconds().count());
}

}  // namespace perigee
