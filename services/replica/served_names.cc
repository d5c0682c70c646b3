#include "services/replica/served_names.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "lib/base/address.h"
#include "lib/base/parse.h"
#include "lib/http_semantics/headers.h"

namespace perigee::replica {
namespace {

constexpr size_t kMaxNameLength = 253;

bool IsLabel(std::string_view label) {
  return !label.empty() && label.size() <= 63 && std::all_of(label.begin(), label.end(), [](char c) {
    return IsDigit(c) || (c >= 'a' && c <= 'z') || c == '-' || c == '_';
  });
}

bool IsHostName(std::string_view name) {
  if (name.empty() || name.size() > kMaxNameLength) return false;
  for (;;) {
    const size_t dot = name.find('.');
    if (!IsLabel(name.substr(0, dot))) return false;
    if (dot == std::string_view::npos) return true;
    name.remove_prefix(dot + 1);
  }
}

// "[::1]:80" is "::1"; nothing when it is no host with or without a port.
std::string_view HostOf(std::string_view authority) {
  std::string_view host = authority, port;
  if (authority.starts_with('[')) {
    const size_t end = authority.find(']');
    if (end == std::string_view::npos) return {};
    host = authority.substr(1, end - 1);
    port = authority.substr(end + 1);
  } else if (const size_t colon = authority.find(':'); colon != std::string_view::npos) {
    host = authority.substr(0, colon);
    port = authority.substr(colon);
  }
  if (!port.empty() && (port.front() != ':' || !std::all_of(port.begin() + 1, port.end(), IsDigit)))
    return {};
  if (host.ends_with('.')) host.remove_suffix(1);
  return host;
}

}  // namespace

std::string_view AuthorityOf(const RequestHead& request) {
  constexpr std::string_view kScheme = "http://";
  std::string_view target = request.target;
  if (!http::EqualsIgnoreCase(target.substr(0, kScheme.size()), kScheme)) {
    return request.headers.Get("Host").value_or(std::string_view());
  }
  target.remove_prefix(kScheme.size());
  return target.substr(0, target.find_first_of("/?#"));
}

absl::StatusOr<ServedNames> ServedNames::Parse(const std::vector<std::string>& names,
                                               const std::string& beacon) {
  if (names.size() > kMaxServedNames) {
    return absl::InvalidArgumentError(fmt::format("{} are more than {}", names.size(), kMaxServedNames));
  }
  ServedNames served;
  for (const std::string& text : names) {
    std::string name = http::ToLower(text);
    if (name.ends_with('.')) name.pop_back();
    const bool below = name.starts_with("*.");
    if (below) name.erase(0, 2);
    const bool address = !below && IpAddress::Parse(name).ok();
    if (!address && !IsHostName(name)) {
      return absl::InvalidArgumentError(fmt::format(
          "\"{}\" is no host name, such as cdn.example.org or *.example.org, and no address", text));
    }
    if (below) {
      served.below_.push_back("." + name);
    } else {
      served.exact_.push_back(std::move(name));
    }
  }
  std::sort(served.exact_.begin(), served.exact_.end());
  if (beacon.empty()) return served;
  std::string name = http::ToLower(beacon);
  if (name.ends_with('.')) name.pop_back();
  if (!IsHostName(name)) {
    return absl::InvalidArgumentError(fmt::format("steering.beacon: \"{}\" is no host name", beacon));
  }
  served.beacon_ = "." + name;
  return served;
}

std::optional<BeaconToken> ServedNames::BeaconOf(const RequestHead& request) const {
  if (beacon_.empty()) return std::nullopt;
  std::string_view host = HostOf(AuthorityOf(request));
  if (host.size() <= beacon_.size()) return std::nullopt;
  const size_t label = host.size() - beacon_.size();
  if (!http::EqualsIgnoreCase(host.substr(label), beacon_)) return std::nullopt;
  return BeaconToken::Parse(host.substr(0, label));
}

std::string ServedNames::Any() const {
  const auto bracketed = [](const std::string& name) {
    return name.find(':') == std::string::npos ? name : "[" + name + "]";
  };
  if (!exact_.empty()) return bracketed(exact_.front());
  return below_.empty() ? "" : "any" + below_.front();
}

bool ServedNames::Has(std::string_view authority) const {
  const std::string_view host = HostOf(authority);
  std::array<char, kMaxNameLength> lower;
  if (host.empty() || host.size() > lower.size()) return false;
  std::transform(host.begin(), host.end(), lower.begin(),
                 [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; });
  const std::string_view name(lower.data(), host.size());
  if (std::binary_search(exact_.begin(), exact_.end(), name, std::less<>())) return true;
  return std::any_of(below_.begin(), below_.end(), [name](const std::string& suffix) {
    return name.size() > suffix.size() && name.ends_with(suffix);
  });
}

}  // namespace perigee::replica
