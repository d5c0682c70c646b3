#include "lib/http_semantics/cache_status.h"

#include <fmt/format.h>

#include <algorithm>

namespace perigee::http {
namespace {

bool IsAlpha(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }

// sf-token (RFC 8941 §3.3.4).
bool IsToken(std::string_view text) {
  constexpr std::string_view kMarks = "!#$%&'*+-.^_`|~:/";
  if (text.empty() || !(IsAlpha(text.front()) || text.front() == '*')) return false;
  return std::all_of(text.begin(), text.end(), [&](char c) {
    return IsAlpha(c) || (c >= '0' && c <= '9') || kMarks.find(c) != std::string_view::npos;
  });
}

// Much of this is written for every hit: faster than a format string.
void AppendNumber(std::string_view name, int64_t value, std::string* out) {
  const fmt::format_int digits(value);
  out->append(name).append(digits.data(), digits.size());
}

}  // namespace

std::string_view Name(Forward forward) {
  switch (forward) {
    case Forward::kNone:
      return "none";
    case Forward::kBypass:
      return "bypass";
    case Forward::kMethod:
      return "method";
    case Forward::kUriMiss:
      return "uri-miss";
    case Forward::kVaryMiss:
      return "vary-miss";
    case Forward::kMiss:
      return "miss";
    case Forward::kPartial:
      return "partial";
    case Forward::kRequest:
      return "request";
    case Forward::kStale:
      return "stale";
  }
  return "unknown";
}

void AppendCacheStatus(const CacheStatus& status, std::string* out) {
  out->append(kCacheStatusName);
  if (status.forward == Forward::kNone) {
    out->append("; hit");
  } else {
    out->append("; fwd=").append(Name(status.forward));
  }
  if (status.forward_status) AppendNumber("; fwd-status=", *status.forward_status, out);
  if (status.ttl) AppendNumber("; ttl=", status.ttl->count(), out);
  if (status.stored) out->append("; stored");
  if (status.collapsed) out->append("; collapsed");
  if (IsToken(status.detail)) out->append("; detail=").append(status.detail);
}

std::string FormatCacheStatus(const CacheStatus& status) {
  std::string text;
  AppendCacheStatus(status, &text);
  return text;
}

}  // namespace perigee::http
