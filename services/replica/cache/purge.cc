#include "services/replica/cache/purge.h"

#include <algorithm>
#include <functional>

#include "lib/http_semantics/surrogate_tags.h"

namespace perigee::replica {
namespace {

uint64_t HashOf(std::string_view text) { return std::hash<std::string_view>()(text); }

}  // namespace

bool PurgeSelection::Matches(std::string_view key, std::string_view object_tags) const {
  const auto is_key = [&](const std::string& text) { return key == text; };
  const auto begins = [&](const std::string& text) { return key.starts_with(text); };
  const auto tagged = [&](const std::string& text) { return http::HasTag(object_tags, text); };
  return std::any_of(keys.begin(), keys.end(), is_key) ||
         std::any_of(prefixes.begin(), prefixes.end(), begins) ||
         std::any_of(tags.begin(), tags.end(), tagged);
}

void PurgeLog::Add(What what, const std::vector<std::string>& texts) {
  for (const std::string& text : texts) {
    selectors_.push_back({generation_, HashOf(text), text.size(), what});
    if (selectors_.size() <= max_selectors_) continue;
    forgotten_ = selectors_.front().generation;
    selectors_.pop_front();
  }
}

void PurgeLog::Add(const PurgeSelection& selection) {
  ++generation_;
  Add(What::kKey, selection.keys);
  Add(What::kPrefix, selection.prefixes);
  Add(What::kTag, selection.tags);
}

bool PurgeLog::Concerns(uint64_t since, std::string_view key, std::string_view tags) const {
  if (since < forgotten_) return true;
  if (since >= generation_) return false;
  const uint64_t key_hash = HashOf(key);
  std::vector<uint64_t> tag_hashes;
  for (const std::string_view tag : http::SplitTags(tags)) tag_hashes.push_back(HashOf(tag));
  const auto means = [&](const Selector& selector) {
    if (selector.what == What::kKey) return selector.hash == key_hash;
    if (selector.what == What::kPrefix)
      return selector.size <= key.size() && selector.hash == HashOf(key.substr(0, selector.size));
    return std::find(tag_hashes.begin(), tag_hashes.end(), selector.hash) != tag_hashes.end();
  };
  for (auto it = selectors_.rbegin(); it != selectors_.rend() && it->generation > since; ++it) {
    if (means(*it)) return true;
  }
  return false;
}

}  // namespace perigee::replica
