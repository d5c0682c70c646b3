#include "lib/http_semantics/range.h"

#include <fmt/format.h>

#include <algorithm>

#include "lib/base/parse.h"
#include "lib/http_semantics/http_date.h"
#include "lib/http_semantics/validation.h"

namespace perigee::http {
namespace {

constexpr std::string_view kBytes = "bytes=";

// Positions beyond any body are as good as the largest number.
std::optional<uint64_t> Position(std::string_view digits) {
  if (!IsNumber(digits)) return std::nullopt;
  return ParseNumber<uint64_t>(digits).value_or(UINT64_MAX);
}

enum class Spec { kMalformed, kOutside, kInside };

Spec ParseRangeSpec(std::string_view text, uint64_t length, ByteRange* out) {
  const size_t dash = text.find('-');
  if (dash == std::string_view::npos) return Spec::kMalformed;
  const auto first = Position(text.substr(0, dash));
  const auto last = Position(text.substr(dash + 1));
  if (!first) {  // "-5": the last five bytes
    if (dash != 0 || !last) return Spec::kMalformed;
    if (*last == 0 || length == 0) return Spec::kOutside;
    *out = {length - std::min(*last, length), length - 1};
    return Spec::kInside;
  }
  if (!last && dash + 1 != text.size()) return Spec::kMalformed;
  if (last && *last < *first) return Spec::kMalformed;
  if (*first >= length) return Spec::kOutside;
  *out = {*first, std::min(last.value_or(UINT64_MAX), length - 1)};
  return Spec::kInside;
}

bool Overlap(std::vector<ByteRange> ranges) {
  std::sort(ranges.begin(), ranges.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
  return std::adjacent_find(ranges.begin(), ranges.end(),
                            [](const auto& a, const auto& b) { return b.first <= a.last; }) != ranges.end();
}

// A strong validator in both cases (RFC 9110 §13.1.5).
bool IfRangeMatches(std::string_view condition, const HeaderList& stored, WallTime now) {
  if (condition.starts_with('"') || condition.starts_with("W/")) {
    const auto tag = stored.Get("ETag");
    return tag && condition.starts_with('"') && *tag == condition;
  }
  const auto modified = StrongLastModified(stored, now);
  return modified && ParseHttpDate(condition, now) == modified;
}

std::string FormatContentRange(ByteRange range, uint64_t length) {
  return fmt::format("bytes {}-{}/{}", range.first, range.last, length);
}

ResponseHead UnsatisfiableHead(uint64_t length, WallTime now) {
  ResponseHead head{.status = 416, .reason = "Range Not Satisfiable"};
  head.headers = {{"Date", FormatHttpDate(now)},
                  {"Content-Range", fmt::format("bytes */{}", length)},
                  {"Content-Length", "0"}};
  return head;
}

std::vector<std::string> Separators(const ResponseHead& stored, uint64_t length,
                                    const std::vector<ByteRange>& ranges, std::string_view boundary) {
  const auto type = stored.headers.Get("Content-Type");
  const std::string type_line = type ? fmt::format("Content-Type: {}\r\n", *type) : "";
  std::vector<std::string> separators;
  std::string_view line_end;
  for (const ByteRange& range : ranges) {
    separators.push_back(fmt::format("{}--{}\r\n{}Content-Range: {}\r\n\r\n", line_end, boundary, type_line,
                                     FormatContentRange(range, length)));
    line_end = "\r\n";
  }
  separators.push_back(fmt::format("\r\n--{}--\r\n", boundary));
  return separators;
}

}  // namespace

RangePlan PlanRange(std::string_view method, const HeaderList& request, const ResponseHead& stored,
                    uint64_t length, WallTime now) {
  const auto range = request.Get("Range");
  if (!range || method != "GET" || stored.status != 200) return {};
  if (!EqualsIgnoreCase(range->substr(0, kBytes.size()), kBytes)) return {};
  const auto condition = request.Get("If-Range");
  if (condition && !IfRangeMatches(*condition, stored.headers, now)) return {};

  const auto specs = SplitList(range->substr(kBytes.size()));
  if (specs.empty() || specs.size() > kMaxRanges) return {};
  RangePlan plan{.answer = RangePlan::Answer::kPartial};
  for (const std::string_view spec : specs) {
    ByteRange wanted;
    const Spec parsed = ParseRangeSpec(spec, length, &wanted);
    if (parsed == Spec::kMalformed) return {};
    if (parsed == Spec::kInside) plan.ranges.push_back(wanted);
  }
  if (plan.ranges.empty()) return {.answer = RangePlan::Answer::kUnsatisfiable};
  return Overlap(plan.ranges) ? RangePlan{} : plan;
}

std::optional<ContentRange> ParseContentRange(std::string_view value) {
  constexpr std::string_view kUnit = "bytes ";
  if (!EqualsIgnoreCase(value.substr(0, kUnit.size()), kUnit)) return std::nullopt;
  value.remove_prefix(kUnit.size());
  const size_t slash = value.find('/');
  const size_t dash = value.find('-');
  if (slash == std::string_view::npos || dash > slash) return std::nullopt;
  const auto first = ParseNumber<uint64_t>(value.substr(0, dash));
  const auto last = ParseNumber<uint64_t>(value.substr(dash + 1, slash - dash - 1));
  const auto complete = ParseNumber<uint64_t>(value.substr(slash + 1));
  if (!first || !last || !complete || *last < *first || *last >= *complete) return std::nullopt;
  return ContentRange{{*first, *last}, *complete};
}

std::optional<ContentRange> ContentRangeOf(const ResponseHead& response) {
  const auto values = response.headers.Values("Content-Range");
  if (response.status != 206 || values.size() != 1) return std::nullopt;
  return ParseContentRange(values.front());
}

bool IsMultipartRange(const HeaderList& response) {
  constexpr std::string_view kMultipart = "multipart/byteranges";
  const std::string_view type = response.Get("Content-Type").value_or("");
  return EqualsIgnoreCase(type.substr(0, kMultipart.size()), kMultipart);
}

RangeAnswer AnswerRanges(const ResponseHead& stored, uint64_t length, RangePlan plan,
                         std::string_view boundary, WallTime now) {
  if (plan.answer == RangePlan::Answer::kUnsatisfiable) return {.head = UnsatisfiableHead(length, now)};
  RangeAnswer answer{.head = stored, .ranges = std::move(plan.ranges)};
  if (plan.answer == RangePlan::Answer::kWhole) {
    if (length > 0) answer.ranges = {{0, length - 1}};
    return answer;
  }
  answer.head.status = 206;
  answer.head.reason = "Partial Content";
  uint64_t size = 0;
  for (const ByteRange& range : answer.ranges) size += range.size();
  HeaderList& headers = answer.head.headers;
  if (answer.ranges.size() == 1) {
    headers.Set("Content-Range", FormatContentRange(answer.ranges.front(), length));
  } else {
    answer.around = Separators(stored, length, answer.ranges, boundary);
    for (const std::string& text : answer.around) size += text.size();
    headers.Set("Content-Type", fmt::format("multipart/byteranges; boundary={}", boundary));
  }
  headers.Set("Content-Length", fmt::format("{}", size));
  return answer;
}

}  // namespace perigee::http
