#include "services/replica/http1/message.h"

#include <fmt/format.h>

#include <boost/beast/http/status.hpp>
#include <iterator>

namespace perigee::replica {

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
