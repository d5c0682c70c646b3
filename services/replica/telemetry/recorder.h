// Writes down what became of each request of one client connection: in its Worker's counters and, when there
// is an access log, in its ring. Neither allocates nor waits. One thread.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string_view>

#include "lib/base/address.h"
#include "lib/base/clock.h"
#include "lib/http_semantics/cache_status.h"
#include "services/replica/counters.h"
#include "services/replica/fetch/fetch_error.h"
#include "services/replica/http1/message.h"
#include "services/replica/telemetry/access_log.h"

namespace perigee::replica {

// Where a Worker's recorders write; it outlives them.
struct Telemetry {
  Counters& counters;
  LogRing* access_log = nullptr;  // null: no log is kept
  const Clock& clock;
};

// What Cache-Status says in `detail` when a request is refused; such answers are counted by their status.
inline constexpr std::string_view kRejectedDetail = "rejected";

class Recorder {
 public:
  Recorder(const Telemetry& telemetry, const IpAddress& client) : telemetry_(telemetry), client_(client) {}

  // `sent`: the bytes that the connection has sent so far.
  // The head of a request was read, or what came of it was refused.
  void Begin(uint64_t sent);
  // The answer is about to be sent; `bytes` begins with its whole head. `cache.detail` must stay valid until
  // End.
  void Answer(int status, const http::CacheStatus& cache, std::string_view bytes, uint64_t sent);
  // The answer has been sent, as far as it could be.
  void End(const RequestHead& request, uint64_t sent);

  // The origin is asked; what it says is its response's head, or that there is none. Once more for each
  // further try; the times add up.
  void AskOrigin() { asked_ = telemetry_.clock.Now(); }
  void OriginSaid(FetchError error);

 private:
  void Log(const RequestHead& request, uint64_t sent, std::chrono::nanoseconds total);

  const Telemetry& telemetry_;
  const IpAddress client_;
  // Of the request at hand.
  MonoTime began_, asked_;
  uint64_t sent_before_ = 0;       // it
  uint64_t sent_before_body_ = 0;  // its answer's body
  int status_ = 0;
  http::CacheStatus cache_;
  std::optional<std::chrono::nanoseconds> upstream_;
};

}  // namespace perigee::replica
