#include "lib/http_semantics/surrogate_tags.h"

#include <algorithm>

namespace perigee::http {
namespace {

constexpr std::string_view kSurrogateKey = "Surrogate-Key";
constexpr std::string_view kCacheTag = "Cache-Tag";

void Split(std::string_view text, std::string_view separators, std::vector<std::string_view>* out) {
  for (size_t begin = 0; (begin = text.find_first_not_of(separators, begin)) != std::string_view::npos;) {
    const size_t end = std::min(text.find_first_of(separators, begin), text.size());
    out->push_back(text.substr(begin, end - begin));
    begin = end;
  }
}

}  // namespace

bool IsTag(std::string_view text) {
  const auto visible = [](char c) { return c > ' ' && c < '\x7f'; };
  return !text.empty() && text.size() <= kMaxTagBytes && std::all_of(text.begin(), text.end(), visible);
}

std::optional<std::string> TakeSurrogateTags(HeaderList* headers) {
  if (!headers->Has(kSurrogateKey) && !headers->Has(kCacheTag)) return "";
  std::vector<std::string_view> tags;
  for (const std::string_view value : headers->Values(kSurrogateKey)) Split(value, " \t", &tags);
  for (const std::string_view value : headers->Values(kCacheTag)) Split(value, ", \t", &tags);
  std::sort(tags.begin(), tags.end());
  tags.erase(std::unique(tags.begin(), tags.end()), tags.end());
  const bool kept = tags.size() <= kMaxTagsPerObject && std::all_of(tags.begin(), tags.end(), IsTag);
  std::string joined;
  for (const std::string_view tag : tags) {
    if (!joined.empty()) joined += ' ';
    joined += tag;
  }
  headers->Remove(kSurrogateKey);
  headers->Remove(kCacheTag);
  if (!kept) return std::nullopt;
  return joined;
}

std::vector<std::string_view> SplitTags(std::string_view tags) {
  std::vector<std::string_view> out;
  Split(tags, " ", &out);
  return out;
}

bool HasTag(std::string_view tags, std::string_view tag) {
  for (size_t at = tags.find(tag); at != std::string_view::npos; at = tags.find(tag, at + 1)) {
    const size_t end = at + tag.size();
    if ((at == 0 || tags[at - 1] == ' ') && (end == tags.size() || tags[end] == ' ')) return !tag.empty();
  }
  return false;
}

}  // namespace perigee::http
