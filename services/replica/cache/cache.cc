#include "services/replica/cache/cache.h"

#include <utility>

#include "lib/http_semantics/vary.h"
#include "services/replica/cache/cache_impl.h"

namespace perigee::replica {

std::string_view Name(Lookup lookup) {
  switch (lookup) {
    case Lookup::kMemory:
      return "memory";
    case Lookup::kDisk:
      return "disk";
    case Lookup::kUriMiss:
      return "uri-miss";
    case Lookup::kVaryMiss:
      return "vary-miss";
  }
  return "unknown";
}

std::string_view Name(InsertResult result) {
  switch (result) {
    case InsertResult::kStored:
      return "stored";
    case InsertResult::kTooLarge:
      return "too-large";
    case InsertResult::kVaryStar:
      return "vary-star";
    case InsertResult::kBusy:
      return "busy";
    case InsertResult::kBadTags:
      return "bad-tags";
    case InsertResult::kPurged:
      return "purged";
  }
  return "unknown";
}

Cache::Impl::Impl(CacheOptions options, const Clock& clock)
    : options_(std::move(options)),
      clock_(clock),
      memory_(options_.memory_budget_bytes, MakeEvictionPolicy(options_.eviction)),
      index_(options_.budget_bytes, kMaxVariantsPerKey, MakeEvictionPolicy(options_.eviction),
             [this](Entry& entry) { OnRemoved(entry); }) {}

void Cache::Impl::OnRemoved(Entry& entry) {
  catalogue_.Remove(entry);
  memory_.Remove(entry.id);
  ClearPending(entry);
  if (entry.on_disk != OnDisk::kAbsent) erase_.push_back(entry.id);
}

void Cache::Impl::Hit(Entry& entry) {
  index_.Hit(entry);
  memory_.Hit(entry.id);
  // What SQLite does not have yet is written with the hits of that moment.
  if (!entry.hits_changed && entry.on_disk != OnDisk::kAbsent) {
    entry.hits_changed = true;
    hits_.push_back(entry.id);
  }
}

void Cache::Impl::SetPending(Entry& entry, std::shared_ptr<const StoredResponse> response) {
  ClearPending(entry);
  entry.pending = std::move(response);
  pending_bytes_ += entry.bytes;
}

void Cache::Impl::ClearPending(Entry& entry) {
  if (!entry.pending) return;
  entry.pending.reset();
  pending_bytes_ -= entry.bytes;
}

void Cache::Impl::ForgetIfHomeless(ObjectId id) {
  Entry* entry = index_.FindId(id);
  if (!entry || entry->pending || memory_.Get(id)) return;
  const bool safe = entry->on_disk == OnDisk::kStored && !entry->head_changed;
  if (!safe) index_.Remove(*entry);
}

void Cache::Impl::PutInMemory(Entry& entry, std::shared_ptr<const StoredResponse> response) {
  for (const ObjectId gone : memory_.Put(entry.id, std::move(response), entry.bytes, entry.hits)) {
    ForgetIfHomeless(gone);
  }
}

FindResult Cache::Impl::Find(std::string_view key, const http::HeaderList& request) {
  DiskRead read{};
  {
    const std::lock_guard lock(mutex_);
    Entry* entry = index_.Find(key, request);
    if (!entry) return {index_.HasKey(key) ? Lookup::kVaryMiss : Lookup::kUriMiss, nullptr};
    Hit(*entry);
    if (auto response = memory_.Get(entry->id)) return {Lookup::kMemory, std::move(response)};
    if (entry->pending) return {Lookup::kMemory, entry->pending};
    read = {disk_.get(), entry->id, entry->version};
  }
  return FindOnDisk(read);
}

FindResult Cache::Impl::FindOnDisk(const DiskRead& read) {
  auto loaded = read.disk->Read(read.id);
  if (loaded.ok()) (*loaded)->freshness = http::FreshnessOf((*loaded)->head, options_.policy);
  const std::lock_guard lock(mutex_);
  Entry* entry = index_.FindId(read.id);
  if (loaded.ok()) {
    if (entry) (*loaded)->soft_purged_at = entry->soft_purged_at;  // SQLite may not know of it yet
    ApplySoftPurge((*loaded)->soft_purged_at, &(*loaded)->freshness);
  }
  if (!loaded.ok()) {
    if (entry) {  // else it was removed meanwhile, which is no error
      DiskError(loaded.status());
      index_.Remove(*entry);
    }
    return {};
  }
  std::shared_ptr<const StoredResponse> response = *std::move(loaded);
  if (entry && entry->version == read.version) PutInMemory(*entry, response);
  return {Lookup::kDisk, std::move(response)};
}

InsertResult Cache::Impl::Admit(uint64_t bytes) const {
  if (!index_.Fits(bytes)) return InsertResult::kTooLarge;
  if (!disk_status_.ok()) return memory_.Fits(bytes) ? InsertResult::kStored : InsertResult::kTooLarge;
  const bool busy = bytes > options_.max_pending_bytes || pending_bytes_ > options_.max_pending_bytes - bytes;
  return busy ? InsertResult::kBusy : InsertResult::kStored;
}

InsertResult Cache::Impl::Insert(std::string_view key, const http::HeaderList& request,
                                 StoredResponse response, uint64_t asked_at) {
  auto vary_names = http::VaryNames(response.head.headers);
  if (!vary_names) return InsertResult::kVaryStar;
  response.vary_names = *std::move(vary_names);
  response.variant_key = http::VariantKey(response.vary_names, request);
  response.freshness = http::FreshnessOf(response.head, options_.policy);
  response.soft_purged_at = kNotPurged;
  const uint64_t bytes = WeightOf(key, response);

  const std::lock_guard lock(mutex_);
  if (purges_.Concerns(asked_at, key, response.head.tags)) return InsertResult::kPurged;
  // What it replaces goes even when the new one cannot stay: it is known to be out of date.
  if (Entry* old = index_.FindVariant(key, response.vary_names, response.variant_key)) index_.Remove(*old);
  const InsertResult result = response.head.bad_tags ? InsertResult::kBadTags : Admit(bytes);
  if (result == InsertResult::kStored) {
    response.object_id = next_id_++;
    Store(key, std::make_shared<const StoredResponse>(std::move(response)), bytes);
  } else {
    ++inserts_refused_;
  }
  if (disk_status_.ok()) work_.notify_one();
  return result;
}

void Cache::Impl::Store(std::string_view key, std::shared_ptr<const StoredResponse> response,
                        uint64_t bytes) {
  Entry fresh;
  fresh.id = response->object_id;
  fresh.vary_names = response->vary_names;
  fresh.variant_key = response->variant_key;
  fresh.bytes = bytes;
  fresh.tags = response->head.tags;
  Entry& entry = index_.Add(key, std::move(fresh));
  catalogue_.Add(entry);
  if (disk_status_.ok()) {
    SetPending(entry, response);
    put_.push_back(entry.id);
  }
  PutInMemory(entry, std::move(response));
}

std::shared_ptr<const StoredResponse> Cache::Impl::Refresh(std::string_view key,
                                                           const http::HeaderList& request,
                                                           const std::shared_ptr<const StoredResponse>& old,
                                                           http::ResponseHead merged, uint64_t asked_at) {
  StoredResponse fresh = *old;
  fresh.soft_purged_at = kNotPurged;
  fresh.head = std::move(merged);
  fresh.freshness = http::FreshnessOf(fresh.head, options_.policy);
  const auto vary_names = http::VaryNames(fresh.head.headers);
  const bool same_variant = vary_names == old->vary_names;
  if (same_variant) {
    auto response = std::make_shared<const StoredResponse>(std::move(fresh));
    const std::lock_guard lock(mutex_);
    Entry* entry = index_.FindId(old->object_id);
    const bool purged = purges_.Concerns(asked_at, key, old->head.tags) ||
                        purges_.Concerns(asked_at, key, response->head.tags);
    if (entry && !purged) Replace(*entry, response);
    if (disk_status_.ok()) work_.notify_one();
    return response;
  }
  {
    const std::lock_guard lock(mutex_);
    Entry* entry = index_.FindId(old->object_id);
    const bool purged = purges_.Concerns(asked_at, key, old->head.tags);
    if (!entry || purged) return std::make_shared<const StoredResponse>(std::move(fresh));
    index_.Remove(*entry);
  }
  Insert(key, request, fresh, asked_at);
  return std::make_shared<const StoredResponse>(std::move(fresh));
}

void Cache::Impl::Replace(Entry& entry, const std::shared_ptr<const StoredResponse>& response) {
  const uint64_t bytes = WeightOf(*entry.key, *response);
  const bool fits = index_.Fits(bytes) && (disk_status_.ok() || memory_.Fits(bytes));
  const bool keep = fits && !response->head.bad_tags;
  if (!keep) return index_.Remove(entry);
  ClearPending(entry);
  memory_.Remove(entry.id);
  index_.Resize(entry, bytes);
  ++entry.version;
  catalogue_.Remove(entry);
  entry.tags = response->head.tags;
  entry.soft_purged_at = kNotPurged;
  catalogue_.Add(entry);
  if (entry.on_disk != OnDisk::kAbsent) {
    entry.head_changed = true;
    heads_.insert(entry.id);
  }
  if (disk_status_.ok()) SetPending(entry, response);
  PutInMemory(entry, response);
}

size_t Cache::Impl::Erase(std::string_view key) {
  const std::lock_guard lock(mutex_);
  const size_t erased = index_.RemoveKey(key);
  if (erased > 0 && disk_status_.ok()) work_.notify_one();
  return erased;
}

CacheStats Cache::Impl::Stats() const {
  const std::lock_guard lock(mutex_);
  CacheStats stats;
  stats.objects = index_.size();
  stats.bytes = index_.bytes();
  stats.budget_bytes = index_.budget();
  stats.memory_objects = memory_.size();
  stats.memory_bytes = memory_.bytes();
  stats.memory_budget_bytes = memory_.budget();
  stats.pending_bytes = pending_bytes_;
  stats.evictions = index_.evictions();
  stats.inserts_refused = inserts_refused_;
  stats.disk_errors = disk_errors_;
  stats.purges = purges_done_;
  stats.purged_objects = purged_objects_;
  stats.disk_ok = disk_status_.ok();
  return stats;
}

Cache::Cache(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Cache::~Cache() = default;

absl::StatusOr<std::unique_ptr<Cache>> Cache::Open(CacheOptions options, const Clock& clock) {
  if (options.budget_bytes == 0)
    return absl::InvalidArgumentError("the cache needs a budget of at least 1 byte");
  auto impl = std::make_unique<Impl>(std::move(options), clock);
  if (absl::Status status = impl->Start(); !status.ok()) return status;
  return std::unique_ptr<Cache>(new Cache(std::move(impl)));
}

FindResult Cache::Find(std::string_view key, const http::HeaderList& request) {
  return impl_->Find(key, request);
}

InsertResult Cache::Insert(std::string_view key, const http::HeaderList& request, StoredResponse response,
                           uint64_t asked_at) {
  return impl_->Insert(key, request, std::move(response), asked_at);
}

std::shared_ptr<const StoredResponse> Cache::Refresh(std::string_view key, const http::HeaderList& request,
                                                     const std::shared_ptr<const StoredResponse>& old,
                                                     http::ResponseHead merged, uint64_t asked_at) {
  return impl_->Refresh(key, request, old, std::move(merged), asked_at);
}

size_t Cache::Purge(const PurgeSelection& selection, PurgeKind kind) { return impl_->Purge(selection, kind); }
uint64_t Cache::PurgeGeneration() const { return impl_->PurgeGeneration(); }
size_t Cache::Erase(std::string_view key) { return impl_->Erase(key); }
CacheStats Cache::Stats() const { return impl_->Stats(); }
absl::Status Cache::Flush() { return impl_->Flush(); }

}  // namespace perigee::replica
