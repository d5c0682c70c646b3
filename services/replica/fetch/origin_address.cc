#include "services/replica/fetch/origin_address.h"

#include <fmt/format.h>

#include <boost/url/parse.hpp>
#include <boost/url/url_view.hpp>

#include "lib/base/parse.h"

namespace perigee::replica {
namespace {

absl::Status Bad(std::string_view text, std::string_view why) {
  return absl::InvalidArgumentError(fmt::format("origin \"{}\": {}", text, why));
}

std::string_view View(boost::urls::string_view text) { return {text.data(), text.size()}; }

}  // namespace

absl::StatusOr<OriginAddress> OriginAddress::Parse(std::string_view text) {
  const std::string url_text =
      text.find("://") == std::string_view::npos ? fmt::format("http://{}", text) : std::string(text);
  const auto parsed = boost::urls::parse_uri(url_text);
  if (parsed.has_error()) return Bad(text, "this is no host, host:port, http:// or https:// URL");
  const boost::urls::url_view& url = *parsed;
  const std::string_view scheme = View(url.scheme());
  if (scheme != "http" && scheme != "https") {
    return Bad(text, fmt::format("the scheme {} is not supported; use http:// or https://", scheme));
  }
  if (url.has_userinfo()) return Bad(text, "user names and passwords are not supported");
  if (url.encoded_host().empty()) return Bad(text, "the host is missing");
  const std::string_view path = View(url.encoded_path());
  if ((!path.empty() && path != "/") || url.has_query() || url.has_fragment()) {
    return Bad(text, "give scheme, host and port only; the path comes from each request");
  }
  OriginAddress origin;
  origin.https = scheme == "https";
  const uint16_t usual_port = origin.https ? 443 : 80;
  origin.port = usual_port;
  if (url.has_port()) {
    const auto port = ParseNumber<uint16_t>(View(url.port()));
    if (!port || *port == 0) return Bad(text, "the port must be 1 to 65535");
    origin.port = *port;
  }
  origin.host = View(url.host_address());
  const std::string host_text(View(url.encoded_host()));
  origin.authority = origin.port == usual_port ? host_text : fmt::format("{}:{}", host_text, origin.port);
  origin.base = fmt::format("{}://{}", scheme, origin.authority);
  return origin;
}

}  // namespace perigee::replica
