// Fetches behind an answer: the validation of what was served stale (RFC 5861 §3), and the whole of what was
// asked for in part.
#pragma once

#include <memory>
#include <string>

#include "lib/base/address.h"
#include "services/replica/http1/message.h"
#include "services/replica/session/context.h"

namespace perigee::replica {

struct BackgroundRequest {
  std::string key;
  RequestHead request;  // the one that was answered
  std::string path;     // what the origin is asked for
  IpAddress client;
  std::shared_ptr<const StoredResponse> stored;  // to be validated; null when there is nothing yet
};

// Asks the origin in a coroutine of its own, unless somebody does already: at most one fetch a key is under
// way. When the origin is in trouble, what is stored stays as it is.
void FetchBehind(Context& context, BackgroundRequest request);

}  // namespace perigee::replica
