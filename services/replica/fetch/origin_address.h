// Where httpserver fetches from, as the operator wrote it.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"

namespace perigee::replica {

struct OriginAddress {
  std::string host;  // a name, or an IP address without brackets
  uint16_t port = 80;
  // What the Host field says: with brackets around IPv6, with the port unless it is 80.
  std::string authority;
  // "http://" and the authority: the beginning of every cache key.
  std::string base;

  // "host", "host:port" or "http://host[:port][/]". InvalidArgument names the text and what is wrong with it.
  static absl::StatusOr<OriginAddress> Parse(std::string_view text);
};

}  // namespace perigee::replica
