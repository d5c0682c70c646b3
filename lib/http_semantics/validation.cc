#include "lib/http_semantics/validation.h"

#include <algorithm>
#include <iterator>

#include "lib/http_semantics/http_date.h"
#include "lib/http_semantics/storability.h"

namespace perigee::http {
namespace {

constexpr std::string_view kPreconditions[] = {"If-None-Match",       "If-Modified-Since", "If-Match",
                                               "If-Unmodified-Since", "If-Range",          "Range"};
// What describes the stored bytes, which a 304 does not replace (RFC 9111 §3.2): with another
// Content-Encoding they could not be read any more.
constexpr std::string_view kOfTheBody[] = {"Content-Length", "Content-Encoding", "Content-Range",
                                           "Content-MD5"};
// What a 304 need not repeat (RFC 9110 §15.4.5).
constexpr std::string_view kNotInNotModified[] = {"Content-Length", "Content-Encoding", "Content-Type",
                                                  "Content-Range"};

template <size_t N>
bool Contains(const std::string_view (&names)[N], std::string_view name) {
  return std::any_of(std::begin(names), std::end(names),
                     [&](std::string_view other) { return EqualsIgnoreCase(name, other); });
}

// "W/" is part of the wire form and case-sensitive (RFC 9110 §8.8.3).
std::string_view OpaqueTag(std::string_view tag) { return tag.starts_with("W/") ? tag.substr(2) : tag; }

// Takes the first element off a list of entity tags. Unlike a quoted string a tag has no escapes (RFC 9110
// §8.8.3): the next quote ends it.
std::string_view TakeTag(std::string_view* list) {
  size_t comma = list->find(',');
  const size_t quote = list->find('"');
  if (quote < comma) comma = list->find(',', list->find('"', quote + 1));
  const std::string_view tag = Trim(list->substr(0, comma));
  list->remove_prefix(comma == std::string_view::npos ? list->size() : comma + 1);
  return tag;
}

bool AnyTagMatches(std::string_view list, std::string_view stored) {
  while (!list.empty()) {
    const std::string_view tag = TakeTag(&list);
    if (!tag.empty() && WeakETagMatch(tag, stored)) return true;
  }
  return false;
}

ConditionResult EvaluateNoneMatch(const HeaderList& request, const HeaderList& stored) {
  const std::string asked = request.Combined("If-None-Match");
  if (Trim(asked) == "*") return ConditionResult::kNotModified;
  const auto tag = stored.Get("ETag");
  return tag && AnyTagMatches(asked, *tag) ? ConditionResult::kNotModified : ConditionResult::kModified;
}

// A response without Last-Modified is compared by its Date, or the time it arrived (RFC 9111 §4.3.2).
WallTime ModificationTime(const ResponseHead& stored, WallTime now) {
  for (const std::string_view name : {"Last-Modified", "Date"}) {
    const auto value = stored.headers.Get(name);
    const auto time = value ? ParseHttpDate(*value, now) : std::nullopt;
    if (time) return *time;
  }
  return stored.response_time;
}

}  // namespace

bool HasValidator(const HeaderList& response) {
  return response.Has("ETag") || response.Has("Last-Modified");
}

std::optional<WallTime> StrongLastModified(const HeaderList& response, WallTime now) {
  const auto modified = response.Get("Last-Modified");
  const auto date = response.Get("Date");
  const auto modified_time = modified ? ParseHttpDate(*modified, now) : std::nullopt;
  const auto made = date ? ParseHttpDate(*date, now) : std::nullopt;
  return modified_time && made && *modified_time < *made ? modified_time : std::nullopt;
}

std::optional<std::string_view> StrongValidator(const HeaderList& response, WallTime now) {
  const auto tag = response.Get("ETag");
  if (tag) return tag->starts_with('"') ? tag : std::nullopt;
  return StrongLastModified(response, now) ? response.Get("Last-Modified") : std::nullopt;
}

void MakeConditional(const HeaderList& stored, HeaderList* request) {
  for (const std::string_view name : kPreconditions) request->Remove(name);
  MakeConditionalInPart(stored, request);
}

void MakeConditionalInPart(const HeaderList& stored, HeaderList* request) {
  request->Remove("If-None-Match");
  request->Remove("If-Modified-Since");
  if (const auto tag = stored.Get("ETag")) request->Add("If-None-Match", *tag);
  if (const auto modified = stored.Get("Last-Modified")) request->Add("If-Modified-Since", *modified);
}

bool NotModifiedAppliesTo(const HeaderList& stored, const HeaderList& not_modified) {
  const auto stored_tag = stored.Get("ETag");
  const auto new_tag = not_modified.Get("ETag");
  if (stored_tag && new_tag) return WeakETagMatch(*stored_tag, *new_tag);
  const auto stored_modified = stored.Get("Last-Modified");
  const auto new_modified = not_modified.Get("Last-Modified");
  return !stored_modified || !new_modified || *stored_modified == *new_modified;
}

ResponseHead MergeNotModified(const ResponseHead& stored, const ResponseHead& not_modified) {
  HeaderList update = HeadersToStore(not_modified.headers);
  for (const std::string_view name : kOfTheBody) update.Remove(name);
  ResponseHead merged = stored;
  merged.request_time = not_modified.request_time;
  merged.response_time = not_modified.response_time;
  if (!not_modified.tags.empty()) merged.tags = not_modified.tags;
  merged.bad_tags = not_modified.bad_tags;
  // Age and Date tell of the message that they came with. A 304 without Date was made when it came (RFC 9110
  // §6.6.1).
  merged.headers.Remove("Age");
  merged.headers.Set("Date", FormatHttpDate(not_modified.response_time));
  for (const HeaderField field : update) merged.headers.Remove(field.name);
  for (const HeaderField field : update) merged.headers.Add(field.name, field.value);
  // The 304's no-cache="…" may name fields that were stored before.
  merged.headers = HeadersToStore(merged.headers);
  return merged;
}

bool IsUnasked(int status, const HeaderList& request) {
  if (status == 304) return !request.Has("If-None-Match") && !request.Has("If-Modified-Since");
  return status == 206 && !request.Has("Range");
}

bool HeadAppliesTo(const HeaderList& stored, const HeaderList& head) {
  constexpr std::string_view kTelling[] = {"ETag", "Last-Modified", "Content-Length"};
  return std::all_of(std::begin(kTelling), std::end(kTelling), [&](std::string_view name) {
    return !head.Has(name) || head.Get(name) == stored.Get(name);
  });
}

ConditionResult EvaluateCondition(std::string_view method, const HeaderList& request,
                                  const ResponseHead& stored, WallTime now) {
  if ((method != "GET" && method != "HEAD") || stored.status != 200) return ConditionResult::kUnconditional;
  if (request.Has("If-None-Match")) return EvaluateNoneMatch(request, stored.headers);
  const auto since = request.Get("If-Modified-Since");
  const auto since_time = since ? ParseHttpDate(*since, now) : std::nullopt;
  if (!since_time) return ConditionResult::kUnconditional;
  return ModificationTime(stored, now) <= *since_time ? ConditionResult::kNotModified
                                                      : ConditionResult::kModified;
}

HeaderList NotModifiedHeaders(const HeaderList& stored) {
  HeaderList headers = stored;
  for (const std::string_view name : kNotInNotModified) headers.Remove(name);
  return headers;
}

bool WeakETagMatch(std::string_view a, std::string_view b) { return OpaqueTag(a) == OpaqueTag(b); }

}  // namespace perigee::http
