// How answers look on the wire. Pure.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

#include "lib/base/clock.h"
#include "lib/http_semantics/cache_status.h"
#include "lib/http_semantics/message.h"
#include "services/replica/http1/message.h"

namespace perigee::replica {

// What the client's side of the connection asks of an answer.
struct AnswerForm {
  int client_minor_version = 1;
  bool keep_alive = true;
};

// How a body of the origin's framing is sent to a client of that version.
Framing ClientFraming(Framing origin, int client_minor_version);

// `age`: what the Age field says, in place of the origin's; left as it is without.
void AppendHead(const http::ResponseHead& head, std::optional<std::chrono::seconds> age, Framing framing,
                const http::CacheStatus& status, const AnswerForm& form, std::string* out);

// A whole answer of this server's own, with one line of text as its body (left out for HEAD).
void AppendOwnAnswer(int status, std::string_view why, bool head_request,
                     const http::CacheStatus& cache_status, const AnswerForm& form, WallTime now,
                     std::string* out);

}  // namespace perigee::replica
