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
  return absl::HashOf(AbslView(*entry.key), entry.vary_names, entry.variant_key);
}

}  // namespace

Index::Index(uint64_t budget_bytes, size_t max_variants, std::unique_ptr<EvictionPolicy> policy,
             Removed removed)
    : budget_(budget_bytes),
      max_variants_(max_variants),
      policy_(std::move(policy)),
      removed_(std::move(removed)) {}

Index::Variants* Index::VariantsOf(std::string_view key) {
  const auto it = by_key_.find(AbslView(key));
  return it == by_key_.end() ? nullptr : &it->second;
}

bool Index::HasKey(std::string_view key) const { return by_key_.contains(AbslView(key)); }

Entry* Index::Find(std::string_view key, const http::HeaderList& request) {
  Variants* variants = VariantsOf(key);
  if (!variants) return nullptr;
  // Variants of one resource mostly vary by the same fields: the request's key is worked out once for them.
  std::string_view names;
  std::string asked;
  for (auto it = variants->rbegin(); it != variants->rend(); ++it) {
    Entry& entry = **it;
    if (entry.vary_names != names) {
      names = entry.vary_names;
      asked = http::VariantKey(names, request);
    }
    if (entry.vary_names.empty() || entry.variant_key == asked) return &entry;
  }
  return nullptr;
}

Entry* Index::FindVariant(std::string_view key, std::string_view vary_names, std::string_view variant_key) {
  Variants* variants = VariantsOf(key);
  if (!variants) return nullptr;
  for (const auto& entry : *variants) {
    if (entry->vary_names == vary_names && entry->variant_key == variant_key) return entry.get();
  }
  return nullptr;
}

Entry* Index::FindId(ObjectId id) {
  const auto it = by_id_.find(id);
  return it == by_id_.end() ? nullptr : it->second;
}

void Index::Hit(Entry& entry) {
  ++entry.hits;
  policy_->Hit(entry.id);
}

void Index::MakeRoom(uint64_t bytes) {
  assert(Fits(bytes));
  while (bytes_ + reserved_ > budget_ - bytes) {
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
  Entry& added = *it->second.emplace_back(std::make_unique<Entry>(std::move(entry)));
  added.key = &it->first;
  by_id_.emplace(added.id, &added);
  added.hits = policy_->Add({added.id, FingerprintOf(added), added.bytes, added.hits});
  bytes_ += added.bytes;
  return added;
}

Entry& Index::Add(std::string_view key, Entry entry) {
  if (Variants* variants = VariantsOf(key); variants && variants->size() >= max_variants_) {
    ++evictions_;
    policy_->Remove(variants->front()->id);
    Forget(*variants->front(), entry.bytes);
  }
  MakeRoom(entry.bytes);
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
  variants.erase(std::find_if(variants.begin(), variants.end(),
                              [&](const auto& variant) { return variant.get() == &entry; }));
  if (variants.empty()) by_key_.erase(it);
}

size_t Index::RemoveKey(std::string_view key) {
  size_t removed = 0;
  for (Variants* variants = VariantsOf(key); variants; variants = VariantsOf(key)) {
    Remove(*variants->back());
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
