#include "services/replica/fetch/unkeyed_fields.h"

#include <algorithm>
#include <iterator>
#include <string>
#include <vector>

#include "lib/base/parse.h"

namespace perigee::replica {
namespace {

// Canonical names (CanonicalName).
constexpr std::string_view kClaims[] = {
    "forwarded",      "front-end-https",
    "proxy",  // to CGI programs it is HTTP_PROXY, through which they connect
    "true-client-ip", "x-client-ip",     "x-cluster-client-ip", "x-host",        "x-http-host-override",
    "x-proxy-url",    "x-real-ip",       "x-rewrite-url",       "x-script-name", "x-url-scheme"};
constexpr std::string_view kClaimPrefixes[] = {"x-forwarded", "x-original-"};
constexpr std::string_view kMethods[] = {"x-http-method", "x-http-method-override", "x-method-override"};

template <size_t N>
bool Contains(const std::string_view (&names)[N], std::string_view name) {
  return std::find(std::begin(names), std::end(names), name) != std::end(names);
}

// By CGI's rules (RFC 3875 §4.1.18) an origin cannot tell X_Forwarded_Host from X-Forwarded-Host.
std::string CanonicalName(std::string_view name) {
  std::string canonical = http::ToLower(name);
  for (char& c : canonical) {
    if (!IsDigit(c) && (c < 'a' || c > 'z')) c = '-';
  }
  return canonical;
}

bool IsUnkeyed(std::string_view canonical, bool may_be_stored) {
  if (Contains(kClaims, canonical)) return true;
  if (may_be_stored && Contains(kMethods, canonical)) return true;
  return std::any_of(std::begin(kClaimPrefixes), std::end(kClaimPrefixes),
                     [&](std::string_view prefix) { return canonical.starts_with(prefix); });
}

}  // namespace

void RemoveUnkeyedFields(std::string_view method, const IpAddress& client, http::HeaderList* fields) {
  std::string forwarded = client.is_loopback() ? fields->Combined("X-Forwarded-For") : "";
  if (!forwarded.empty()) forwarded += ", ";
  const bool may_be_stored = method == "GET" || method == "HEAD";
  std::vector<std::string> unkeyed;
  for (const http::HeaderField field : *fields) {
    if (IsUnkeyed(CanonicalName(field.name), may_be_stored)) unkeyed.emplace_back(field.name);
  }
  for (const std::string& name : unkeyed) fields->Remove(name);
  fields->Add("X-Forwarded-For", forwarded + client.ToString());
}

}  // namespace perigee::replica
