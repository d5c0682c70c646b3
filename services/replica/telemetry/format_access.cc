#include <fmt/format.h>

#include <array>
#include <iterator>

#include "lib/log/json_line.h"
#include "services/replica/telemetry/access_log.h"

namespace perigee::replica {
namespace {

constexpr int kClientGone = 499;  // nginx's
constexpr std::array<std::string_view, 12> kMonths = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                                      "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};

// As nginx escapes.
void AppendEscaped(std::string_view text, std::string* out) {
  for (const char c : text) {
    const auto octet = static_cast<uint8_t>(c);
    if (octet < 0x20 || octet > 0x7e || c == '"' || c == '\\') {
      fmt::format_to(std::back_inserter(*out), "\\x{:02X}", octet);
    } else {
      *out += c;
    }
  }
}

void AppendQuoted(std::string_view text, std::string* out) {
  *out += " \"";
  AppendEscaped(text.empty() ? "-" : text, out);
  *out += '"';
}

void AppendTime(WallTime time, std::string* out) {
  const auto second = std::chrono::floor<std::chrono::seconds>(time);
  const auto day = std::chrono::floor<std::chrono::days>(second);
  const std::chrono::year_month_day date(day);
  const std::chrono::hh_mm_ss clock(second - day);
  fmt::format_to(std::back_inserter(*out), "[{:02}/{}/{:04}:{:02}:{:02}:{:02} +0000]",
                 static_cast<unsigned>(date.day()), kMonths[static_cast<unsigned>(date.month()) - 1],
                 static_cast<int>(date.year()), clock.hours().count(), clock.minutes().count(),
                 clock.seconds().count());
}

std::string Seconds(std::chrono::microseconds time) {
  return fmt::format("{}.{:06}", time.count() / 1'000'000, time.count() % 1'000'000);
}

int LoggedStatus(const AccessEntry& entry) { return entry.status == 0 ? kClientGone : entry.status; }

// Without the cache's name, which is always the same.
std::string CacheText(const AccessEntry& entry) {
  if (entry.status == 0) return "";
  const std::string whole = http::FormatCacheStatus(entry.cache);
  return whole.substr(http::kCacheStatusName.size() + 2);
}

}  // namespace

std::optional<AccessLogFormat> ParseAccessLogFormat(std::string_view word) {
  if (word == "combined") return AccessLogFormat::kCombined;
  if (word == "json") return AccessLogFormat::kJson;
  return std::nullopt;
}

void AppendCombined(const AccessEntry& entry, std::string* out) {
  *out += entry.client.ToString() + " - - ";
  AppendTime(entry.time, out);
  *out += " \"";
  if (entry.method.empty()) {
    *out += '-';
  } else {
    AppendEscaped(entry.method, out);
    *out += ' ';
    AppendEscaped(entry.target, out);
    *out += fmt::format(" HTTP/1.{}", entry.minor_version);
  }
  *out += fmt::format("\" {} {}", LoggedStatus(entry), entry.bytes);
  AppendQuoted(entry.referer, out);
  AppendQuoted(entry.user_agent, out);
  AppendQuoted(CacheText(entry), out);
  *out += fmt::format(" {} {}\n", entry.upstream ? Seconds(*entry.upstream) : "-", Seconds(entry.total));
}

void AppendJson(const AccessEntry& entry, std::string* out) {
  *out += "{\"time\":\"";
  AppendIsoTime(entry.time, out);
  *out += '"';
  AppendJsonField("client", entry.client.ToString(), out);
  AppendJsonField("method", entry.method, out);
  AppendJsonField("target", entry.target, out);
  AppendJsonField("version", entry.method.empty() ? "" : fmt::format("HTTP/1.{}", entry.minor_version), out);
  AppendJsonField("host", entry.host, out);
  *out += fmt::format(",\"status\":{},\"bytes\":{}", LoggedStatus(entry), entry.bytes);
  AppendJsonField("referer", entry.referer, out);
  AppendJsonField("user_agent", entry.user_agent, out);
  const bool hit = entry.cache.forward == http::Forward::kNone;
  const std::string_view cache = hit ? "hit" : http::Name(entry.cache.forward);
  AppendJsonField("cache", entry.status == 0 ? "" : cache, out);
  AppendJsonField("cache_status", CacheText(entry), out);
  const std::string upstream = entry.upstream ? fmt::format("{}", entry.upstream->count()) : "null";
  *out += fmt::format(",\"upstream_us\":{},\"total_us\":{}}}\n", upstream, entry.total.count());
}

}  // namespace perigee::replica
