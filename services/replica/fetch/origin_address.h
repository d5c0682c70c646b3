// Where httpserver fetches from, as the operator wrote it.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"

namespace perigee::replica {

struct OriginAddress {
  std::string host;  // a name, or an IP address without brackets
  bool https = false;
  uint16_t port = 80;
  // What the Host field says: with brackets around IPv6, with the port unless it is the scheme's own.
  std::string authority;
  // Scheme and authority, as in "http://a": the beginning of every cache key.
  std::string base;

  // "host", "host:port" (both http) or "http[s]://host[:port][/]". InvalidArgument names the text and what is
  // wrong with it.
  static absl::StatusOr<OriginAddress> Parse(std::string_view text);
};

}  // namespace perigee::replica
