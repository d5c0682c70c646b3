#include "lib/http_semantics/cache_status.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>

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
    case Forward::kRequest:
      return "request";
    case Forward::kStale:
      return "stale";
  }
  return "unknown";
}

std::string FormatCacheStatus(const CacheStatus& status) {
  std::string text(kCacheStatusName);
  const auto out = std::back_inserter(text);
  if (status.forward == Forward::kNone) {
    text += "; hit";
  } else {
    fmt::format_to(out, "; fwd={}", Name(status.forward));
  }
  if (status.forward_status) fmt::format_to(out, "; fwd-status={}", *status.forward_status);
  if (status.ttl) fmt::format_to(out, "; ttl={}", status.ttl->count());
  if (status.stored) text += "; stored";
  if (status.collapsed) text += "; collapsed";
  if (IsToken(status.detail)) fmt::format_to(out, "; detail={}", status.detail);
  return text;
}

void AddCacheStatus(const CacheStatus& status, HeaderList* response) {
  response->Add("Cache-Status", FormatCacheStatus(status));
}

}  // namespace perigee::http
