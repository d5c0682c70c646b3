// What is stored, and what has to go: every object of the cache by key, variant and id, within the budget.
//
// Not thread-safe: the Cache's mutex guards it. An Entry stays where it is until it is removed.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/container/node_hash_map.h"
#include "lib/http_semantics/headers.h"
#include "services/replica/cache/eviction.h"
#include "services/replica/cache/stored_response.h"

namespace perigee::replica {

// Where an object stands with SQLite.
enum class OnDisk {
  kAbsent,
  kWriting,  // in the batch that is being committed
  kStored,
};

// Which bytes of which representation an object is, when it is a part.
struct PartOf {
  http::ContentRange range;
  std::string validator;  // ETag, else Last-Modified

  // Nothing when it is no 206 with a Content-Range of one part.
  static std::shared_ptr<const PartOf> From(const http::ResponseHead& head);
  bool SameWhole(const PartOf& other) const {
    return range.complete == other.range.complete && validator == other.validator;
  }
};

struct Entry {
  ObjectId id = 0;
  const std::string* key = nullptr;  // owned by the index
  std::string vary_names;
  std::string variant_key;
  uint64_t bytes = 0;       // key, variant, head and body
  uint64_t body_bytes = 0;  // the body's part of it
  uint64_t hits = 0;
  std::string tags;                    // as http::TakeSurrogateTags gives them
  std::shared_ptr<const PartOf> part;  // null: it is a whole
  WallTime soft_purged_at = kNotPurged;

  OnDisk on_disk = OnDisk::kAbsent;
  bool head_changed = false;  // since SQLite had it
  bool hits_changed = false;
  uint64_t version = 0;                           // grows with every change of the head
  std::shared_ptr<const StoredResponse> pending;  // what SQLite does not have yet
};

class Index {
 public:
  // Called for each entry that leaves, just before it does; must not change the index. Returns how many of
  // its bytes stay in use, at most `may_stay`: they count as reserved from then on.
  using Removed = std::function<uint64_t(Entry& entry, uint64_t may_stay)>;
  struct Most {
    size_t variants;  // of a key
    size_t parts;     // of a key
    size_t objects = SIZE_MAX;
  };
  Index(uint64_t budget_bytes, Most most, std::unique_ptr<EvictionPolicy> policy, Removed removed);

  // The newest variant that `request` selects, or null. When it is in parts: the newest of them.
  Entry* Find(std::string_view key, const http::HeaderList& request);
  // Wholes only.
  Entry* FindVariant(std::string_view key, std::string_view vary_names, std::string_view variant_key);
  // The parts of one variant, in the order of their first bytes.
  std::vector<Entry*> FindParts(std::string_view key, std::string_view vary_names,
                                std::string_view variant_key);
  Entry* FindId(ObjectId id);
  bool HasKey(std::string_view key) const;

  void Hit(Entry& entry);

  // Adds what fits the budget (the caller has asked Fits), with every field set but `key`; makes room first.
  // It may have more hits then: those that the policy remembers.
  Entry& Add(std::string_view key, Entry entry);
  // Gives `entry`, which stays, another weight that fits; makes room among the others.
  void Resize(Entry& entry, uint64_t bytes);
  void Remove(Entry& entry);
  // Returns how many variants there were.
  size_t RemoveKey(std::string_view key);

  // For loading: adds without making room. Call EvictToBudget after the last.
  void AddUnchecked(std::string_view key, Entry entry);
  void EvictToBudget();

  void ForEach(const std::function<void(Entry&)>& visit);

  // Takes room for what is no entry, yet or any more; makes it first. False: there is not so much.
  bool Reserve(uint64_t bytes);
  void Release(uint64_t bytes) { reserved_ -= bytes; }

  bool Fits(uint64_t bytes) const { return bytes <= budget_ - reserved_; }
  // Of the entries and of what is reserved.
  uint64_t bytes() const { return bytes_ + reserved_; }
  uint64_t budget() const { return budget_; }
  size_t max_objects() const { return most_.objects; }
  size_t size() const { return by_id_.size(); }
  uint64_t evictions() const { return evictions_; }

 private:
  using Entries = std::vector<std::unique_ptr<Entry>>;  // in the order of storing
  struct Variants {
    Entries wholes;
    Entries parts;
    Entries& Of(const Entry& entry) { return entry.part ? parts : wholes; }
    bool empty() const { return wholes.empty() && parts.empty(); }
  };

  void MakeRoom(uint64_t bytes, size_t objects = 0);
  void Forget(Entry& entry, uint64_t room = 0);
  Entry& Append(std::string_view key, Entry entry);
  Variants* VariantsOf(std::string_view key);

  const uint64_t budget_;
  const Most most_;
  const std::unique_ptr<EvictionPolicy> policy_;  // knows exactly the entries of by_id_
  const Removed removed_;
  absl::node_hash_map<std::string, Variants> by_key_;  // no empty ones
  absl::flat_hash_map<ObjectId, Entry*> by_id_;
  // Together at most budget_, but while loading:
  uint64_t bytes_ = 0;  // the sum over the entries
  uint64_t reserved_ = 0;
  uint64_t evictions_ = 0;
};

}  // namespace perigee::replica
