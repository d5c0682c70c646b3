// A response is read the same way however its bytes arrive, and what is accepted has one length. The input's
// first octet says whether it answers HEAD.
#include <string>

#include "fuzz/check.h"
#include "fuzz/http1_split.h"

namespace perigee::replica {
namespace {

using fuzz::Check;

struct Outcome {
  Progress head = Progress::kNeedMore;
  Progress body = Progress::kNeedMore;  // kNeedMore never stays: the input's end is the connection's
  http::ResponseHead response;
  Framing framing = Framing::kNone;
  uint64_t length = 0;
  int minor_version = 1;
  bool keep_alive = false;
  std::string content;
  size_t used = 0;
};

Outcome Read(std::string_view bytes, size_t piece, bool head_request) {
  static const Limits limits;
  fuzz::Pieces pieces(bytes, piece);
  ResponseParser parser(limits, head_request);
  Outcome outcome;
  outcome.head = pieces.Feed([&](std::string_view input) { return parser.ParseHead(input); });
  if (outcome.head != Progress::kDone) return outcome;
  outcome.response = parser.head();
  outcome.framing = parser.framing();
  outcome.length = parser.content_length();
  outcome.minor_version = parser.minor_version();
  outcome.keep_alive = parser.keep_alive();
  outcome.body = parser.body_done() ? Progress::kDone : pieces.Feed([&](std::string_view input) {
    return parser.ParseBody(input, &outcome.content);
  });
  if (outcome.body == Progress::kNeedMore) outcome.body = parser.ParseEnd();
  Check(outcome.body != Progress::kNeedMore);
  outcome.used = pieces.used();
  return outcome;
}

// What is never accepted may be refused sooner or later.
void CheckSame(const Outcome& a, const Outcome& b) {
  Check((a.head == Progress::kDone) == (b.head == Progress::kDone));
  if (a.head != Progress::kDone) return;
  Check(a.response.status == b.response.status && a.response.reason == b.response.reason);
  Check(a.response.headers == b.response.headers && a.framing == b.framing && a.length == b.length);
  Check(a.minor_version == b.minor_version && a.keep_alive == b.keep_alive && a.body == b.body);
  if (a.body != Progress::kDone) return;
  Check(a.content == b.content && a.used == b.used);
}

bool NeverHasBody(int status) { return status < 200 || status == 204 || status == 304; }

void CheckFraming(const Outcome& outcome, bool head_request) {
  const http::HeaderList& headers = outcome.response.headers;
  const auto lengths = headers.Values("Content-Length");
  const auto codings = headers.Values("Transfer-Encoding");
  Check(outcome.response.status >= 100 && lengths.size() + codings.size() <= 1);
  Check(codings.empty() || http::EqualsIgnoreCase(codings.front(), "chunked"));
  const bool none = head_request || NeverHasBody(outcome.response.status);
  if (none) Check(outcome.framing == Framing::kNone && outcome.content.empty());
  if (!none && !codings.empty()) Check(outcome.framing == Framing::kChunked && outcome.minor_version == 1);
  if (!none && !lengths.empty() && outcome.body == Progress::kDone) {
    Check(outcome.content.size() == outcome.length);
  }
  if (!none && lengths.empty() && codings.empty()) Check(outcome.framing == Framing::kUntilClose);
}

void CheckResponse(std::string_view bytes) {
  if (bytes.empty()) return;
  const bool head_request = (bytes.front() & 1) != 0;
  bytes.remove_prefix(1);
  const Outcome whole = Read(bytes, fuzz::kWhole, head_request);
  CheckSame(whole, Read(bytes, fuzz::PieceFor(bytes), head_request));
  if (whole.head == Progress::kDone) CheckFraming(whole, head_request);
}

}  // namespace
}  // namespace perigee::replica

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  perigee::replica::CheckResponse({reinterpret_cast<const char*>(data), size});
  return 0;
}
