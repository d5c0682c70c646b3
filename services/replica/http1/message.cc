#include "services/replica/http1/message.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/beast/http/status.hpp>
#include <iterator>

#include "lib/base/parse.h"

namespace perigee::replica {
namespace {

bool IsAlphanumeric(char c) { return IsDigit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }

// RFC 3986 §3.2.2, reg-name; without the comma, at which lists are taken apart.
bool IsNameCharacter(char c) {
  return IsAlphanumeric(c) || std::string_view("-._~%!$&'()*+;=").find(c) != std::string_view::npos;
}
bool IsAddressCharacter(char c) { return IsAlphanumeric(c) || c == ':' || c == '.'; }

}  // namespace

bool IsAuthority(std::string_view text) {
  const bool bracketed = text.starts_with('[');
  const size_t end = bracketed ? text.find(']') : std::min(text.find(':'), text.size());
  if (end == std::string_view::npos || end == 0) return false;
  const std::string_view host = bracketed ? text.substr(1, end - 1) : text.substr(0, end);
  const std::string_view port = text.substr(bracketed ? end + 1 : end);
  if (host.empty() ||
      !std::all_of(host.begin(), host.end(), bracketed ? IsAddressCharacter : IsNameCharacter))
    return false;
  return port.empty() || (port.front() == ':' && std::all_of(port.begin() + 1, port.end(), IsDigit));
}

std::string_view ReasonPhrase(int status) {
  const auto known = boost::beast::http::int_to_status(static_cast<unsigned>(status));
  if (known == boost::beast::http::status::unknown) return "";
  const auto phrase = boost::beast::http::obsolete_reason(known);
  return {phrase.data(), phrase.size()};
}

void AppendStatusLine(int status, std::string_view reason, std::string* out) {
  if (status == 200 && reason == "OK") {
    *out += "HTTP/1.1 200 OK\r\n";
    return;
  }
  fmt::format_to(std::back_inserter(*out), "HTTP/1.1 {:03} {}\r\n", status, reason);
}

void AppendField(std::string_view name, std::string_view value, std::string* out) {
  out->append(name).append(": ").append(value).append("\r\n");
}

std::string ChunkHeader(size_t size) { return fmt::format("{:x}\r\n", size); }

}  // namespace perigee::replica
