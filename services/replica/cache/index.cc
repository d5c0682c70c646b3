#include "services/replica/cache/index.h"

#include <algorithm>
#include <cassert>
#include <utility>

#include "absl/hash/hash.h"
#include "absl/strings/string_view.h"
#include "lib/http_semantics/vary.h"

namespace perigee::replica {
namespace {

// Debian's absl::string_view is a type of its own, and the one that looks up without a copy.
absl::string_view AbslView(std::string_view text) { return {text.data(), text.size()}; }

uint64_t FingerprintOf(const Entry& entry) {
  const uint64_t first = entry.part ? entry.part->range.range.first : 0;
  return absl::HashOf(AbslView(*entry.key), entry.vary_names, entry.variant_key, entry.part != nullptr,
                      first);
}

Entry* Newest(const std::vector<std::unique_ptr<Entry>>& entries, const http::HeaderList& request) {
  // Variants of one resource mostly vary by the same fields: the request's key is worked out once for them.
  std::string_view names;
  std::string asked;
  for (auto it = entries.rbegin(); it != entries.rend(); ++it) {
    Entry& entry = **it;
    if (entry.vary_names != names) {
      names = entry.vary_names;
      asked = http::VariantKey(names, request);
    }
    if (entry.vary_names.empty() || entry.variant_key == asked) return &entry;
  }
  return nullptr;
}

}  // namespace

std::shared_ptr<const PartOf> PartOf::From(const http::ResponseHead& head) {
  const auto range = http::ContentRangeOf(head);
  if (!range) return nullptr;
  const auto tag = head.headers.Get("ETag");
  const auto validator = tag ? tag : head.headers.Get("Last-Modified");
  return std::make_shared<const PartOf>(PartOf{*range, std::string(validator.value_or(""))});
}

Index::Index(uint64_t budget_bytes, Most most, std::unique_ptr<EvictionPolicy> policy, Removed removed)
    : budget_(budget_bytes), most_(most), policy_(std::move(policy)), removed_(std::move(removed)) {}

Index::Variants* Index::VariantsOf(std::string_view key) {
  const auto it = by_key_.find(AbslView(key));
  return it == by_key_.end() ? nullptr : &it->second;
}

bool Index::HasKey(std::string_view key) const { return by_key_.contains(AbslView(key)); }

Entry* Index::Find(std::string_view key, const http::HeaderList& request) {
  Variants* variants = VariantsOf(key);
  if (!variants) return nullptr;
  Entry* whole = Newest(variants->wholes, request);
  Entry* part = Newest(variants->parts, request);
  return !whole || (part && part->id > whole->id) ? part : whole;
}

Entry* Index::FindVariant(std::string_view key, std::string_view vary_names, std::string_view variant_key) {
  Variants* variants = VariantsOf(key);
  if (!variants) return nullptr;
  for (const auto& entry : variants->wholes) {
    if (entry->vary_names == vary_names && entry->variant_key == variant_key) return entry.get();
  }
  return nullptr;
}

std::vector<Entry*> Index::FindParts(std::string_view key, std::string_view vary_names,
                                     std::string_view variant_key) {
  std::vector<Entry*> parts;
  Variants* variants = VariantsOf(key);
  if (!variants) return parts;
  for (const auto& entry : variants->parts) {
    if (entry->vary_names == vary_names && entry->variant_key == variant_key) parts.push_back(entry.get());
  }
  std::stable_sort(parts.begin(), parts.end(), [](const Entry* a, const Entry* b) {
    return a->part->range.range.first < b->part->range.range.first;
  });
  return parts;
}

Entry* Index::FindId(ObjectId id) {
  const auto it = by_id_.find(id);
  return it == by_id_.end() ? nullptr : it->second;
}

void Index::Hit(Entry& entry) {
  ++entry.hits;
  policy_->Hit(entry.id);
}

void Index::MakeRoom(uint64_t bytes, size_t objects) {
  assert(Fits(bytes) && objects <= most_.objects);
  while (bytes_ + reserved_ > budget_ - bytes || size() > most_.objects - objects) {
    ++evictions_;
    Forget(*FindId(*policy_->Evict()), bytes);
  }
}

bool Index::Reserve(uint64_t bytes) {
  if (!Fits(bytes)) return false;
  MakeRoom(bytes);
  reserved_ += bytes;
  return true;
}

Entry& Index::Append(std::string_view key, Entry entry) {
  const auto it = by_key_.try_emplace(std::string(key)).first;
  Entries& alike = it->second.Of(entry);
  Entry& added = *alike.emplace_back(std::make_unique<Entry>(std::move(entry)));
  added.key = &it->first;
  by_id_.emplace(added.id, &added);
  added.hits = policy_->Add({added.id, FingerprintOf(added), added.bytes, added.hits});
  bytes_ += added.bytes;
  return added;
}

Entry& Index::Add(std::string_view key, Entry entry) {
  const size_t max = entry.part ? most_.parts : most_.variants;
  if (Variants* variants = VariantsOf(key); variants && variants->Of(entry).size() >= max) {
    Entry& first = *variants->Of(entry).front();
    ++evictions_;
    policy_->Remove(first.id);
    Forget(first, entry.bytes);
  }
  MakeRoom(entry.bytes, 1);
  return Append(key, std::move(entry));
}

void Index::Resize(Entry& entry, uint64_t bytes) {
  EvictionObject object = policy_->Remove(entry.id);
  bytes_ -= entry.bytes;
  MakeRoom(bytes);
  object.bytes = entry.bytes = bytes;
  bytes_ += bytes;
  entry.hits = policy_->Add(object);
}

void Index::Remove(Entry& entry) {
  policy_->Remove(entry.id);
  Forget(entry);
}

// What the policy has forgotten already. `room`: what there must be place for.
void Index::Forget(Entry& entry, uint64_t room) {
  const uint64_t others = reserved_ + room;
  reserved_ += removed_(entry, budget_ > others ? std::min(budget_ - others, entry.bytes) : 0);
  bytes_ -= entry.bytes;
  by_id_.erase(entry.id);
  const auto it = by_key_.find(*entry.key);
  Variants& variants = it->second;
  Entries& entries = variants.Of(entry);
  entries.erase(
      std::find_if(entries.begin(), entries.end(), [&](const auto& other) { return other.get() == &entry; }));
  if (variants.empty()) by_key_.erase(it);
}

size_t Index::RemoveKey(std::string_view key) {
  size_t removed = 0;
  for (Variants* variants = VariantsOf(key); variants; variants = VariantsOf(key)) {
    Remove(variants->wholes.empty() ? *variants->parts.back() : *variants->wholes.back());
    ++removed;
  }
  return removed;
}

void Index::AddUnchecked(std::string_view key, Entry entry) { Append(key, std::move(entry)); }

void Index::EvictToBudget() { MakeRoom(0); }

void Index::ForEach(const std::function<void(Entry&)>& visit) {
  for (const auto& [id, entry] : by_id_) visit(*entry);
}

}  // namespace perigee::replica
