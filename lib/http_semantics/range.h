// Range requests against a stored response (RFC 9110 §14, §13.1.5).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "lib/http_semantics/message.h"

namespace perigee::http {

// Bytes first to last, both included.
struct ByteRange {
  uint64_t first = 0;
  uint64_t last = 0;
  uint64_t size() const { return last - first + 1; }
  friend bool operator==(const ByteRange&, const ByteRange&) = default;
};

// A request for more of them is answered with the whole body.
inline constexpr size_t kMaxRanges = 16;

struct RangePlan {
  enum class Answer {
    kWhole,          // 200: no Range, one that is to be ignored, or an If-Range that does not match
    kPartial,        // 206 with `ranges`: one, or several as multipart/byteranges
    kUnsatisfiable,  // 416
  };
  Answer answer = Answer::kWhole;
  // Within the body; they do not overlap, and come in the order of the request.
  std::vector<ByteRange> ranges;
};

// `length`: of the stored body. Ranges that lie outside it are left out. Malformed, overlapping and too many
// ranges, other units than bytes, other methods than GET and other statuses than 200 mean the whole (§14.2).
RangePlan PlanRange(std::string_view method, const HeaderList& request, const ResponseHead& stored,
                    uint64_t length, WallTime now);

// What a Content-Range says of a single part: its bytes, and the length of the whole that they lie within.
struct ContentRange {
  ByteRange range;
  uint64_t complete = 0;
  friend bool operator==(const ContentRange&, const ContentRange&) = default;
};
// Nothing when it is malformed, lies beyond the whole, or leaves the length open ("*").
std::optional<ContentRange> ParseContentRange(std::string_view value);
// The same of a 206; nothing too when it says so twice.
std::optional<ContentRange> ContentRangeOf(const ResponseHead& response);
// Whether the body is one of several parts, each with a Content-Range of its own.
bool IsMultipartRange(const HeaderList& response);

// What is sent for a plan: the head, with the Content-Length of a 206 or 416, and the pieces of the body.
struct RangeAnswer {
  ResponseHead head;
  std::vector<ByteRange> ranges;  // of the stored body
  // Of multipart/byteranges: what stands before each range, and after the last. Empty for one range.
  std::vector<std::string> around;
};

// `length`: of the stored body. `boundary` parts several ranges; it must not occur in the body.
RangeAnswer AnswerRanges(const ResponseHead& stored, uint64_t length, RangePlan plan,
                         std::string_view boundary, WallTime now);

}  // namespace perigee::http
