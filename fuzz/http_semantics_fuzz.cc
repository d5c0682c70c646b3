// What strangers write into fields of their own grammar is read without a fault, within the bounds that the
// readers promise, and what is written out reads back the same.
//
// The input is lines; the first octet of each chooses the field that the rest of it is the value of.
#include <algorithm>
#include <string>

#include "fuzz/check.h"
#include "lib/http_semantics/freshness.h"
#include "lib/http_semantics/http_date.h"
#include "lib/http_semantics/invalidation.h"
#include "lib/http_semantics/parts.h"
#include "lib/http_semantics/range.h"
#include "lib/http_semantics/structured.h"
#include "lib/http_semantics/surrogate_tags.h"
#include "lib/http_semantics/targeted.h"
#include "lib/http_semantics/validation.h"
#include "lib/http_semantics/vary.h"

namespace perigee::http {
namespace {

using fuzz::Check;
using std::chrono::seconds;

constexpr std::string_view kNames[] = {"Cache-Control",
                                       "CDN-Cache-Control",
                                       "Surrogate-Control",
                                       "Surrogate-Key",
                                       "Cache-Tag",
                                       "Vary",
                                       "Range",
                                       "If-Range",
                                       "ETag",
                                       "Last-Modified",
                                       "Date",
                                       "Expires",
                                       "Age",
                                       "If-None-Match",
                                       "If-Modified-Since",
                                       "Accept-Encoding",
                                       "Accept-Language",
                                       "Connection",
                                       "Content-Range",
                                       "Location",
                                       "Pragma",
                                       "Content-Type"};
constexpr std::string_view kBody = "0123456789";
constexpr WallTime kNow{seconds(1'700'000'000)};
// More would cost time and show nothing new; of parsers it is 100 that come through.
constexpr size_t kMaxFields = 32;

HeaderList Fields(std::string_view input) {
  HeaderList fields;
  while (!input.empty() && fields.size() < kMaxFields) {
    const std::string_view line = input.substr(0, input.find('\n'));
    input.remove_prefix(std::min(input.size(), line.size() + 1));
    if (!line.empty()) fields.Add(kNames[static_cast<uint8_t>(line[0]) % std::size(kNames)], line.substr(1));
  }
  return fields;
}

void CheckList(const HeaderList& fields) {
  const auto again = HeaderList::FromText(fields.text());
  Check(again && *again == fields && again->size() == fields.size());
  HeaderList end_to_end = fields;
  end_to_end.RemoveHopByHop();
  Check(!end_to_end.Has("Connection") && end_to_end.size() <= fields.size());
}

void CheckDirectives(const HeaderList& fields) {
  for (const CacheControl& control :
       {ParseCacheControl(fields), ParseRequestCacheControl(fields), ParseResponseCacheControl(fields)}) {
    for (const auto& value : {control.max_age, control.s_maxage, control.min_fresh, control.stale_if_error}) {
      Check(!value || (*value >= seconds(0) && *value <= kMaxDelta));
    }
  }
  const Freshness freshness = FreshnessOf({.status = 200, .headers = fields, .response_time = kNow}, {});
  Check(freshness.initial_age >= seconds(0) && CurrentAge(freshness, kNow) >= seconds(0));
  const ReuseDecision decision = DecideReuse(freshness, ParseRequestCacheControl(fields), kNow);
  Check(decision.reason != ReuseReason::kFresh || decision.serve());
}

void CheckDates(const HeaderList& fields) {
  for (const HeaderField field : fields) {
    const auto date = ParseHttpDate(field.value, kNow);
    if (date) Check(ParseHttpDate(FormatHttpDate(*date), kNow) == date);
    ParseStructuredDictionary(field.value);
    const auto part = ParseContentRange(field.value);
    Check(!part || (part->range.first <= part->range.last && part->range.last < part->complete));
  }
}

void CheckRanges(const HeaderList& fields) {
  const ResponseHead stored{.status = 200, .headers = fields};
  RangePlan plan = PlanRange("GET", fields, stored, kBody.size(), kNow);
  Check(plan.ranges.size() <= kMaxRanges);
  Check((plan.answer == RangePlan::Answer::kPartial) == !plan.ranges.empty());
  for (const ByteRange& range : plan.ranges) {
    Check(range.first <= range.last && range.last < kBody.size());
    for (const ByteRange& other : plan.ranges) {
      Check(&other == &range || other.last < range.first || range.last < other.first);
    }
  }
  if (plan.answer == RangePlan::Answer::kWhole) return;
  const RangeAnswer answer = AnswerRanges(stored, kBody.size(), std::move(plan), "B", kNow);
  if (answer.ranges.size() < 2) return;
  Check(answer.around.size() == answer.ranges.size() + 1 && answer.around.back().ends_with("--B--\r\n"));
  size_t size = 0;
  for (const std::string& text : answer.around) size += text.size();
  for (const ByteRange& range : answer.ranges) size += range.size();
  Check(answer.head.headers.Get("Content-Length") == std::to_string(size));
}

void CheckParts(const HeaderList& fields) {
  const auto part = ContentRangeOf({.status = 206, .headers = fields});
  Check(!part || part->range.last < part->complete);
  Check(!StrongValidator(fields, kNow) || HasValidator(fields));
  std::vector<ByteRange> parts =
      PlanRange("GET", fields, {.status = 200, .headers = fields}, kBody.size(), kNow).ranges;
  std::sort(parts.begin(), parts.end(), [](ByteRange a, ByteRange b) { return a.first < b.first; });
  for (size_t i = 0; i < parts.size(); ++i)
    Check(Cover(parts, parts[i]) == std::vector<Slice>{{i, parts[i]}});
}

void CheckTags(HeaderList fields) {
  const auto tags = TakeSurrogateTags(&fields);
  Check(!fields.Has("Surrogate-Key") && !fields.Has("Cache-Tag"));
  if (!tags) return;
  const auto all = SplitTags(*tags);
  Check(all.size() <= kMaxTagsPerObject && std::is_sorted(all.begin(), all.end()));
  Check(std::all_of(all.begin(), all.end(), [&](auto tag) { return IsTag(tag) && HasTag(*tags, tag); }));
}

void CheckVariants(const HeaderList& fields) {
  const auto names = VaryNames(fields);
  if (!names) return;
  Check(VariantKey(*names, fields) == VariantKey(*names, *HeaderList::FromText(fields.text())));
}

void CheckSemantics(std::string_view input) {
  const HeaderList fields = Fields(input);
  CheckList(fields);
  CheckDirectives(fields);
  CheckDates(fields);
  CheckRanges(fields);
  CheckParts(fields);
  CheckTags(fields);
  CheckVariants(fields);
  EvaluateCondition("GET", fields, {.status = 200, .headers = fields}, kNow);
  InvalidatedPaths("/a", fields, {"cdn.test", "origin.test"});
}

}  // namespace
}  // namespace perigee::http

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  perigee::http::CheckSemantics({reinterpret_cast<const char*>(data), size});
  return 0;
}
