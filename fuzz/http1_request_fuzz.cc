// A request is read the same way however its bytes arrive; what is accepted has one length that nobody can
// read differently, and says the same when it is written out and read again.
#include <string>

#include "fuzz/check.h"
#include "fuzz/http1_split.h"

namespace perigee::replica {
namespace {

using fuzz::Check;

// Small enough to be reached.
Limits FuzzLimits() {
  Limits limits;
  limits.max_header_bytes = 1'024;
  limits.max_header_fields = 16;
  limits.max_target_bytes = 256;
  limits.max_request_body_bytes = 2'048;
  return limits;
}

struct Outcome {
  Progress head = Progress::kNeedMore;
  Progress body = Progress::kNeedMore;
  RequestHead request;
  std::string content;
  size_t used = 0;
};

Outcome Read(std::string_view bytes, size_t piece, const Limits& limits) {
  fuzz::Pieces pieces(bytes, piece);
  RequestParser parser(limits);
  Outcome outcome;
  outcome.head = pieces.Feed([&](std::string_view input) { return parser.ParseHead(input); });
  if (outcome.head == Progress::kDone) {
    outcome.request = parser.head();
    outcome.body = parser.body_done() ? Progress::kDone : pieces.Feed([&](std::string_view input) {
      return parser.ParseBody(input, &outcome.content);
    });
  }
  const bool refused = outcome.head == Progress::kError || outcome.body == Progress::kError;
  Check(!refused || (parser.rejection().status >= 400 && parser.rejection().status < 600));
  outcome.used = pieces.used();
  return outcome;
}

bool SameHead(const RequestHead& a, const RequestHead& b) {
  return a.method == b.method && a.target == b.target && a.minor_version == b.minor_version &&
         a.headers == b.headers && a.keep_alive == b.keep_alive && a.chunked == b.chunked &&
         a.content_length == b.content_length;
}

// What is never accepted may be refused sooner or later: a chunk extension that is malformed at the end of
// its line, for one, with the bytes behind that.
void CheckSame(const Outcome& a, const Outcome& b) {
  Check((a.head == Progress::kDone) == (b.head == Progress::kDone));
  if (a.head != Progress::kDone) return;
  Check(SameHead(a.request, b.request));
  Check((a.body == Progress::kDone) == (b.body == Progress::kDone));
  if (a.body != Progress::kDone) return;
  Check(a.content == b.content && a.used == b.used);
}

// RFC 9112 §6.3, read from the fields alone.
void CheckFraming(const RequestHead& request) {
  const auto lengths = request.headers.Values("Content-Length");
  const auto codings = request.headers.Values("Transfer-Encoding");
  Check(lengths.size() + codings.size() <= 1 && request.headers.Values("Host").size() <= 1);
  Check(request.content_length.has_value() == !lengths.empty() && request.chunked == !codings.empty());
  if (request.chunked)
    Check(http::EqualsIgnoreCase(codings.front(), "chunked") && request.minor_version == 1);
  if (!lengths.empty()) Check(lengths.front().find_first_not_of("0123456789") == std::string_view::npos);
}

void CheckRoundTrip(const RequestHead& request) {
  const std::string version = request.minor_version == 0 ? " HTTP/1.0\r\n" : " HTTP/1.1\r\n";
  const std::string text = request.method + " " + request.target + version + request.headers.text() + "\r\n";
  static const Limits limits;  // a space after each colon may make it longer
  const Outcome again = Read(text, fuzz::kWhole, limits);
  Check(again.head == Progress::kDone && SameHead(again.request, request));
}

void CheckRequest(std::string_view bytes) {
  static const Limits limits = FuzzLimits();
  const Outcome whole = Read(bytes, fuzz::kWhole, limits);
  CheckSame(whole, Read(bytes, fuzz::PieceFor(bytes), limits));
  Check(whole.used <= bytes.size());
  if (whole.head != Progress::kDone) return;
  CheckFraming(whole.request);
  if (whole.request.content_length && whole.body == Progress::kDone) {
    Check(whole.content.size() == *whole.request.content_length);
  }
  CheckRoundTrip(whole.request);
}

}  // namespace
}  // namespace perigee::replica

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  perigee::replica::CheckRequest({reinterpret_cast<const char*>(data), size});
  return 0;
}
