// The objects of the index in the orders that purges ask for: by key, for prefixes, and by tag.
//
// Not thread-safe: the Cache's mutex guards it.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/container/btree_set.h"
#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "services/replica/cache/index.h"
#include "services/replica/cache/purge.h"

namespace perigee::replica {

class Catalogue {
 public:
  // `entry` must stand in the index, and keep its key and tags until it is removed from here.
  void Add(const Entry& entry);
  void Remove(const Entry& entry);

  // What is meant, each once, in no order. Takes the time of what it finds, not of all there is.
  std::vector<ObjectId> Select(const PurgeSelection& selection) const;

  size_t tags() const { return by_tag_.size(); }

 private:
  absl::btree_set<std::pair<std::string_view, ObjectId>> by_key_;
  absl::flat_hash_map<std::string, absl::flat_hash_set<ObjectId>> by_tag_;  // no empty ones
};

}  // namespace perigee::replica
