#include <algorithm>

#include "fmt/format.h"
#include "services/dns/telemetry/decision_log.h"
#include "services/dns/telemetry/words.h"

namespace perigee::dns {
namespace {

void AppendString(std::string_view text, std::string* out) {
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

void AppendField(std::string_view key, std::string_view text, std::string* out) {
  fmt::format_to(std::back_inserter(*out), ",\"{}\":", key);
  AppendString(text, out);
}

void AppendTime(WallTime time, std::string* out) {
  const auto ms = std::chrono::floor<std::chrono::milliseconds>(time);
  const auto day = std::chrono::floor<std::chrono::days>(ms);
  const std::chrono::year_month_day date(day);
  const std::chrono::hh_mm_ss clock(ms - day);
  fmt::format_to(std::back_inserter(*out), "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}Z",
                 static_cast<int>(date.year()), static_cast<unsigned>(date.month()),
                 static_cast<unsigned>(date.day()), clock.hours().count(), clock.minutes().count(),
                 clock.seconds().count(), clock.subseconds().count());
}

}  // namespace

std::string FormatDecision(const DecisionRecord& record) {
  std::string line = "{\"time\":\"";
  AppendTime(record.time, &line);
  line += '"';
  AppendField("client", record.client.ToString(), &line);
  AppendField("prefix", record.prefix.ToString(), &line);
  AppendField("name", record.name.view().ToText(), &line);
  AppendField("type", Word(record.type), &line);
  AppendField("protocol", Word(record.transport), &line);
  const auto end = std::find(record.replica.begin(), record.replica.end(), '\0');
  AppendField("replica", std::string_view(record.replica.begin(), end), &line);
  AppendField("reason", Word(record.reason), &line);
  AppendField("method", Word(record.method), &line);
  const bool measured = Sample{record.rtt, record.method}.measured();
  line += measured ? fmt::format(",\"rtt_us\":{}", record.rtt.count()) : ",\"rtt_us\":null";
  line += fmt::format(",\"ttl\":{},\"scope\":{}}}\n", record.ttl.count(), record.scope_length);
  return line;
}

}  // namespace perigee::dns
