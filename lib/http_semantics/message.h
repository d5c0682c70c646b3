// The part of a response that caching rules look at.
#pragma once

#include <string>

#include "lib/base/clock.h"
#include "lib/http_semantics/headers.h"

namespace perigee::http {

struct ResponseHead {
  int status = 200;
  std::string reason;  // the reason phrase; may be empty
  HeaderList headers;
  // When the request was sent to the origin, and when the head of its response arrived (RFC 9111 §4.2.3).
  WallTime request_time;
  WallTime response_time;
  // What the origin tagged it with for purges, taken out of `headers` (surrogate_tags.h). With `bad_tags` it
  // had too many, or malformed ones: not to be stored.
  std::string tags = {};
  bool bad_tags = false;
};

}  // namespace perigee::http
