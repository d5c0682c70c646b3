// Reads HTTP/1.1 messages from bytes: no sockets, no time. The grammar is Beast's basic_parser; what RFC 9112
// leaves to a careful server is added here, so that no two parties can disagree on where a request ends.
//
// Refused in requests with 400: a line that does not end in CRLF, NUL, folded lines, a target that is not
// visible ASCII, a Host that is missing (HTTP/1.1), doubled or malformed, Content-Length beside
// Transfer-Encoding, twice, or as anything but digits, a Transfer-Encoding that does not end in "chunked",
// has it twice, or is one of HTTP/1.0. Another transfer coding before "chunked" is 501, another major version
// 505. Limits: 414, 431, 413. Of responses, lines and length are as strict.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "lib/http_semantics/message.h"
#include "services/replica/http1/message.h"
#include "services/replica/limits.h"

namespace perigee::replica {

enum class Progress { kNeedMore, kDone, kError };

struct ParseResult {
  Progress progress = Progress::kNeedMore;
  size_t consumed = 0;  // bytes of the input that are used up
};

// Why a request is refused: the status of the answer and a phrase for it.
struct Rejection {
  int status = 0;
  std::string_view why;
};

// One request at a time, on one thread. Reset makes it ready for the next and keeps its memory.
class RequestParser {
 public:
  explicit RequestParser(const Limits& limits);
  ~RequestParser();

  void Reset();

  // `input` is everything received of this message so far; nothing is consumed before the head is whole.
  ParseResult ParseHead(std::string_view input);
  const RequestHead& head() const { return head_; }

  // After the head: appends decoded body bytes to `out`. Trailers are checked and dropped.
  ParseResult ParseBody(std::string_view input, std::string* out);
  bool body_done() const;

  // After kError.
  const Rejection& rejection() const { return rejection_; }

 private:
  class Impl;
  ParseResult Refuse(Rejection rejection);

  const Limits& limits_;
  RequestHead head_;
  Rejection rejection_;
  size_t scanned_ = 0;  // bytes of the head that are known to hold no end of it
  std::unique_ptr<Impl> impl_;
};

// One response of the origin.
class ResponseParser {
 public:
  // `head_request`: the answer to HEAD, which has no body whatever its fields say.
  ResponseParser(const Limits& limits, bool head_request);
  ~ResponseParser();

  // As for requests, nothing is consumed before the head is whole. 1xx responses are ordinary ones here; make
  // a new parser for the final one.
  ParseResult ParseHead(std::string_view input);
  http::ResponseHead& head() { return head_; }
  const http::ResponseHead& head() const { return head_; }
  bool keep_alive() const;
  int minor_version() const;  // of HTTP/1.x
  Framing framing() const;
  // When framing() is kContentLength.
  uint64_t content_length() const;

  ParseResult ParseBody(std::string_view input, std::string* out);
  bool body_done() const;
  // The origin closed its connection: kDone when the body ended with that, kError when it was cut short.
  Progress ParseEnd();

 private:
  class Impl;
  http::ResponseHead head_;
  size_t scanned_ = 0;
  std::unique_ptr<Impl> impl_;
};

// The end of a request head at the start of `input`. Nothing when it isn't there yet.
struct HeadBlock {
  bool malformed = false;
  size_t size = 0;  // up to and including the empty line
};
// `scanned`: how many bytes an earlier call has already looked at.
std::optional<HeadBlock> FindHeadBlock(std::string_view input, size_t scanned);

}  // namespace perigee::replica
