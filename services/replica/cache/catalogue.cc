#include "services/replica/cache/catalogue.h"

#include <algorithm>

#include "lib/http_semantics/surrogate_tags.h"

namespace perigee::replica {

void Catalogue::Add(const Entry& entry) {
  by_key_.emplace(*entry.key, entry.id);
  for (const std::string_view tag : http::SplitTags(entry.tags)) by_tag_[std::string(tag)].insert(entry.id);
}

void Catalogue::Remove(const Entry& entry) {
  by_key_.erase({*entry.key, entry.id});
  for (const std::string_view tag : http::SplitTags(entry.tags)) {
    const auto it = by_tag_.find(std::string(tag));
    if (it == by_tag_.end()) continue;
    it->second.erase(entry.id);
    if (it->second.empty()) by_tag_.erase(it);
  }
}

std::vector<ObjectId> Catalogue::Select(const PurgeSelection& selection) const {
  std::vector<ObjectId> found;
  const auto take_while = [&](std::string_view from, const auto& belongs) {
    for (auto it = by_key_.lower_bound({from, 0}); it != by_key_.end() && belongs(it->first); ++it) {
      found.push_back(it->second);
    }
  };
  for (const std::string& key : selection.keys) {
    take_while(key, [&](std::string_view at) { return at == key; });
  }
  for (const std::string& prefix : selection.prefixes) {
    take_while(prefix, [&](std::string_view at) { return at.starts_with(prefix); });
  }
  for (const std::string& tag : selection.tags) {
    const auto it = by_tag_.find(tag);
    if (it != by_tag_.end()) found.insert(found.end(), it->second.begin(), it->second.end());
  }
  std::sort(found.begin(), found.end());
  found.erase(std::unique(found.begin(), found.end()), found.end());
  return found;
}

}  // namespace perigee::replica
