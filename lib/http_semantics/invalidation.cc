#include "lib/http_semantics/invalidation.h"

#include <algorithm>

namespace perigee::http {
namespace {

std::string_view Before(std::string_view text, std::string_view marks) {
  return text.substr(0, text.find_first_of(marks));
}

// Takes "http:" or "https:" off; nothing when there is another scheme.
std::optional<std::string_view> WithoutScheme(std::string_view reference) {
  const size_t colon = reference.find(':');
  if (colon == std::string_view::npos || reference.find_first_of("/?#") < colon) return reference;
  const std::string_view scheme = reference.substr(0, colon);
  if (!EqualsIgnoreCase(scheme, "http") && !EqualsIgnoreCase(scheme, "https")) return std::nullopt;
  return reference.substr(colon + 1);
}

std::string_view WithoutDefaultPort(std::string_view authority) {
  for (const std::string_view port : {":80", ":443", ":"}) {
    if (authority.ends_with(port)) return authority.substr(0, authority.size() - port.size());
  }
  return authority;
}

void DropLastSegment(std::string* path) { path->erase(std::min(path->rfind('/'), path->size())); }

// RFC 3986 §5.2.4, for an absolute path.
std::string WithoutDotSegments(std::string_view path) {
  std::string result;
  while (!path.empty()) {
    const std::string_view segment = path.substr(0, path.find('/', 1));
    path.remove_prefix(segment.size());
    const bool up = segment == "/..";
    if (up) DropLastSegment(&result);
    if (!up && segment != "/.") {
      result += segment;
    } else if (path.empty()) {
      result += '/';
    }
  }
  return result;
}

}  // namespace

std::optional<std::string> ResolvePath(std::string_view base, std::string_view reference,
                                       const std::vector<std::string_view>& authorities) {
  auto rest = WithoutScheme(Before(reference, "#"));
  if (!rest) return std::nullopt;
  if (rest->starts_with("//")) {
    const std::string_view authority = Before(rest->substr(2), "/?");
    const bool ours = std::any_of(authorities.begin(), authorities.end(), [&](std::string_view known) {
      return EqualsIgnoreCase(WithoutDefaultPort(known), WithoutDefaultPort(authority));
    });
    if (!ours) return std::nullopt;
    rest->remove_prefix(2 + authority.size());
    if (!rest->starts_with('/')) return std::string("/").append(*rest);
  } else if (rest->size() != Before(reference, "#").size()) {
    return std::nullopt;  // "http:path" is no reference that anyone understands alike
  }

  const std::string_view base_path = Before(base, "?");
  const std::string_view path = Before(*rest, "?");
  const std::string_view query = rest->substr(path.size());
  if (rest->empty()) return std::string(base);
  if (path.empty()) return std::string(base_path).append(query);
  if (path.starts_with('/')) return WithoutDotSegments(path).append(query);
  const std::string_view folder = base_path.substr(0, base_path.rfind('/') + 1);
  return WithoutDotSegments(std::string(folder).append(path)).append(query);
}

std::vector<std::string> InvalidatedPaths(std::string_view base, const HeaderList& headers,
                                          const std::vector<std::string_view>& authorities) {
  std::vector<std::string> paths;
  for (const std::string_view name : {"Location", "Content-Location"}) {
    const auto reference = headers.Get(name);
    auto path = reference ? ResolvePath(base, *reference, authorities) : std::nullopt;
    if (path && *path != base) paths.push_back(*std::move(path));
  }
  return paths;
}

}  // namespace perigee::http
