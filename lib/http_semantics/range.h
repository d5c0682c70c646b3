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

// "bytes 0-4/10", "bytes */10".
std::string ContentRange(ByteRange range, uint64_t length);
std::string UnsatisfiedContentRange(uint64_t length);

// The length of the whole that a Content-Range tells; nothing when it is malformed or says "*".
std::optional<uint64_t> CompleteLength(std::string_view content_range);

// The head of a 206 for `ranges` of the stored 200, with its Content-Length; for several ranges Content-Type
// is multipart/byteranges with `boundary`, and `content_length` must be the size of MultipartBody.
ResponseHead PartialHead(const ResponseHead& stored, ByteRange range, uint64_t length);
ResponseHead MultipartHead(const ResponseHead& stored, std::string_view boundary, uint64_t content_length);
// What stands before the bytes of each range, and after the last: one more than there are ranges.
std::vector<std::string> MultipartSeparators(const ResponseHead& stored, uint64_t length,
                                             const std::vector<ByteRange>& ranges, std::string_view boundary);
std::string MultipartBody(const ResponseHead& stored, std::string_view body,
                          const std::vector<ByteRange>& ranges, std::string_view boundary);

// A boundary that does not occur in `body`.
std::string Boundary(std::string_view body);

}  // namespace perigee::http
