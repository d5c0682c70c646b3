// What a purge is about, and the memory of recent ones. Pure.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <string>
#include <string_view>
#include <vector>

namespace perigee::replica {

enum class PurgeKind {
  kHard,  // forgotten
  kSoft,  // stale from now on: validated before it is served, or served where stale responses may be
};

// An object is meant when any of these names it.
struct PurgeSelection {
  std::vector<std::string> keys;      // primary keys, with all their variants
  std::vector<std::string> prefixes;  // of primary keys; "" is everything
  std::vector<std::string> tags;

  // `object_tags` as http::TakeSurrogateTags gives them.
  bool Matches(std::string_view key, std::string_view object_tags) const;
};

// Of a fetch that is not compared with purges.
inline constexpr uint64_t kAfterEveryPurge = UINT64_MAX;

// Tells what was asked for before a purge and so must not be stored after it. Every purge begins a
// generation; a fetch notes the one in which it begins.
//
// Memory is bounded: of the last `max_selectors` keys, prefixes and tags a hash each is kept. Who began
// before what is forgotten counts as concerned, and so does one in 2^64 by chance: that costs a fetch, never
// a stale answer. Not thread-safe.
class PurgeLog {
 public:
  explicit PurgeLog(size_t max_selectors) : max_selectors_(max_selectors) {}

  uint64_t generation() const { return generation_; }
  void Add(const PurgeSelection& selection);
  // Whether a purge since generation `since` means this object.
  bool Concerns(uint64_t since, std::string_view key, std::string_view tags) const;

 private:
  enum class What { kKey, kPrefix, kTag };
  struct Selector {
    uint64_t generation;
    uint64_t hash;
    size_t size;
    What what;
  };
  void Add(What what, const std::vector<std::string>& texts);

  const size_t max_selectors_;
  uint64_t generation_ = 1;
  uint64_t forgotten_ = 0;  // the last generation of which something is forgotten
  std::deque<Selector> selectors_;
};

}  // namespace perigee::replica
