// The tags by which an origin names groups of responses for a later purge: Surrogate-Key (between spaces, as
// Fastly and Varnish have it) and Cache-Tag (between commas, as Cloudflare and Akamai do). Case counts. Pure.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "lib/http_semantics/headers.h"

namespace perigee::http {

inline constexpr size_t kMaxTagsPerObject = 256;
inline constexpr size_t kMaxTagBytes = 256;

// 1 to kMaxTagBytes visible ASCII characters.
bool IsTag(std::string_view text);

// Takes both fields out of `headers`, for they are between origin and cache, and gives their tags: sorted,
// each once, with one space between them. Nothing when there are more than kMaxTagsPerObject, or one that is
// no tag: such a response must not be stored, for a purge might not find it.
std::optional<std::string> TakeSurrogateTags(HeaderList* headers);

// The tags of what TakeSurrogateTags gave. The views point into `tags`.
std::vector<std::string_view> SplitTags(std::string_view tags);
bool HasTag(std::string_view tags, std::string_view tag);

}  // namespace perigee::http
