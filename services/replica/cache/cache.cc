#include "services/replica/cache/cache.h"

#include <utility>

#include "lib/http_semantics/vary.h"
#include "services/replica/cache/cache_impl.h"
#include "services/replica/cache/large_body.h"

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
    case InsertResult::kBadRange:
      return "bad-range";
    case InsertResult::kWhole:
      return "whole";
  }
  return "unknown";
}

Cache::Impl::Impl(CacheOptions options, const Clock& clock)
    : options_(std::move(options)),
      clock_(clock),
      body_file_(std::make_unique<BodyFile>(options_.memory_budget_bytes)),
      memory_(options_.memory_budget_bytes, MakeEvictionPolicy(options_.eviction)),
      index_(options_.budget_bytes,
             {.variants = kMaxVariantsPerKey, .parts = kMaxPartsPerKey, .objects = options_.max_objects},
             MakeEvictionPolicy(options_.eviction),
             [this](Entry& entry, uint64_t may_stay) { return OnRemoved(entry, may_stay); }) {}

uint64_t Cache::Impl::OnRemoved(Entry& entry, uint64_t may_stay) {
  catalogue_.Remove(entry);
  memory_.Remove(entry.id);
  known_heads_.Remove(entry.id);
  ClearPending(entry);
  if (entry.body_bytes <= may_stay && KeepForReaders(entry.id, entry.body_bytes)) {
    loosen_.push_back(entry.id);
    return entry.body_bytes;
  }
  if (entry.on_disk != OnDisk::kAbsent || IsLarge(entry.body_bytes)) erase_.push_back(entry.id);
  return 0;
}

// What an entry's `pending` takes: not the body that is in SQLite already.
uint64_t Cache::Impl::PendingBytes(const Entry& entry) {
  return entry.pending->body ? entry.bytes : entry.bytes - entry.body_bytes;
}

void Cache::Impl::Hit(Entry& entry) {
  index_.Hit(entry);
  // What SQLite does not have yet is written with the hits of that moment.
  if (!entry.hits_changed && entry.on_disk != OnDisk::kAbsent) {
    entry.hits_changed = true;
    hits_.push_back(entry.id);
  }
}

void Cache::Impl::SetPending(Entry& entry, std::shared_ptr<const StoredResponse> response) {
  ClearPending(entry);
  entry.pending = std::move(response);
  pending_bytes_ += PendingBytes(entry);
}

void Cache::Impl::ClearPending(Entry& entry) {
  if (!entry.pending) return;
  pending_bytes_ -= PendingBytes(entry);
  entry.pending.reset();
}

void Cache::Impl::ForgetIfHomeless(ObjectId id) {
  Entry* entry = index_.FindId(id);
  if (!entry || entry->pending || memory_.Get(id)) return;
  const bool safe = entry->on_disk == OnDisk::kStored && !entry->head_changed;
  if (!safe) index_.Remove(*entry);
}

void Cache::Impl::PutInMemory(Entry& entry, std::shared_ptr<const StoredResponse> response) {
  if (!response->body) return;
  for (const ObjectId gone : memory_.Put(entry.id, std::move(response), entry.bytes, entry.hits)) {
    ForgetIfHomeless(gone);
  }
}

Body Cache::Impl::ForMemory(Body body) const {
  return memory_.Fits(body->size()) ? body_file_->Keep(std::move(body)) : body;
}

FindResult Cache::Impl::Find(std::string_view key, const http::HeaderList& request) {
  std::unique_lock lock(mutex_);
  Entry* entry = index_.Find(key, request);
  if (!entry) return {index_.HasKey(key) ? Lookup::kVaryMiss : Lookup::kUriMiss, nullptr};
  if (!entry->part) return Get(lock, *entry);
  std::vector<StoredParts::Part> parts = PartsWith(*entry);
  FindResult newest = Get(lock, *entry);
  if (newest.response) newest.response = WholeInParts(std::move(newest.response), std::move(parts));
  return newest;
}

FindResult Cache::Impl::Get(std::unique_lock<std::mutex>& lock, Entry& entry) {
  Hit(entry);
  if (auto response = memory_.Hit(entry.id)) return {Lookup::kMemory, std::move(response)};
  if (entry.pending && entry.pending->body) return {Lookup::kMemory, entry.pending};
  if (entry.pending) return {Lookup::kDisk, WithDiskBody(*entry.pending)};
  DiskRead read{disk_.get(), entry.id, entry.version, known_heads_.Hit(entry.id)};
  lock.unlock();
  return FindOnDisk(std::move(read));
}

std::shared_ptr<const StoredResponse> Cache::Impl::WithDiskBody(const StoredResponse& head) {
  auto response = std::make_shared<StoredResponse>(head);
  response->disk_body = Pin(head.object_id);
  return response;
}

absl::StatusOr<std::shared_ptr<StoredResponse>> Cache::Impl::Read(DiskRead* read) const {
  if (!read->head) {
    auto head = read->disk->ReadHead(read->id);
    if (!head.ok()) return head.status();
    head->freshness = http::FreshnessOf(head->head, options_.policy);
    read->head = std::make_shared<const StoredResponse>(*std::move(head));
  }
  auto response = std::make_shared<StoredResponse>(*read->head);
  if (IsLarge(response->body_bytes)) return response;
  auto body = read->disk->ReadBody(read->id, response->body_bytes);
  if (!body.ok()) return body.status();
  response->body = ForMemory(*std::move(body));
  return response;
}

FindResult Cache::Impl::FindOnDisk(DiskRead read) {
  const bool known = read.head != nullptr;
  auto loaded = Read(&read);
  const std::lock_guard lock(mutex_);
  Entry* entry = index_.FindId(read.id);
  if (!loaded.ok()) {
    if (entry) {  // else it was removed meanwhile, which is no error
      DiskError(loaded.status());
      index_.Remove(*entry);
    }
    return {};
  }
  StoredResponse& response = **loaded;
  if (entry) response.soft_purged_at = entry->soft_purged_at;  // SQLite may not know of it yet
  ApplySoftPurge(response.soft_purged_at, &response.freshness);
  if (!response.body) {
    if (!entry) return {};
    response.disk_body = Pin(read.id);
  }
  if (entry && entry->version == read.version) {
    if (!known) KeepHead(*entry, std::move(read.head));
    PutInMemory(*entry, *loaded);
  }
  return {Lookup::kDisk, *std::move(loaded)};
}

void Cache::Impl::KeepHead(const Entry& entry, std::shared_ptr<const StoredResponse> head) {
  const uint64_t bytes = entry.bytes - entry.body_bytes + sizeof(StoredResponse);
  known_heads_.Put(entry.id, std::move(head), bytes, entry.hits);
}

InsertResult Cache::Impl::Admit(uint64_t bytes) const {
  if (!index_.Fits(bytes)) return InsertResult::kTooLarge;
  if (!disk_status_.ok()) return memory_.Fits(bytes) ? InsertResult::kStored : InsertResult::kTooLarge;
  const bool busy = bytes > options_.max_pending_bytes || pending_bytes_ > options_.max_pending_bytes - bytes;
  return busy ? InsertResult::kBusy : InsertResult::kStored;
}

InsertResult Cache::Impl::Insert(std::string_view key, const http::HeaderList& request,
                                 StoredResponse response, uint64_t asked_at, Upload* upload) {
  auto vary_names = http::VaryNames(response.head.headers);
  if (!vary_names) return InsertResult::kVaryStar;
  response.vary_names = *std::move(vary_names);
  response.variant_key = http::VariantKey(response.vary_names, request);
  response.freshness = http::FreshnessOf(response.head, options_.policy);
  response.soft_purged_at = kNotPurged;
  response.body_bytes = upload ? upload->bytes : response.body->size();
  const uint64_t bytes = WeightOf(key, response);
  const auto part = PartOf::From(response.head);
  const bool good_part = part && part->range.range.size() == response.body_bytes;
  if (response.head.status == 206 && !good_part) return InsertResult::kBadRange;
  if (response.body) response.body = ForMemory(std::move(response.body));

  const std::lock_guard lock(mutex_);
  if (purges_.Concerns(asked_at, key, response.head.tags)) return InsertResult::kPurged;
  if (part && index_.FindVariant(key, response.vary_names, response.variant_key)) return InsertResult::kWhole;
  // What it replaces goes even when the new one cannot stay: it is known to be out of date.
  RemoveReplaced(key, response, part.get());
  InsertResult result = InsertResult::kBadTags;
  if (!response.head.bad_tags) result = upload ? AdmitUpload(*upload, bytes) : Admit(bytes);
  if (result == InsertResult::kStored) {
    response.object_id = upload ? upload->id : next_id_++;
    Entry& stored = Store(key, std::make_shared<const StoredResponse>(std::move(response)), bytes, part);
    if (part) RemoveNeedless(stored);
  } else {
    ++inserts_refused_;
  }
  WakeWriter();
  return result;
}

void Cache::Impl::RemoveReplaced(std::string_view key, const StoredResponse& response, const PartOf* part) {
  if (Entry* old = index_.FindVariant(key, response.vary_names, response.variant_key)) index_.Remove(*old);
  for (Entry* old : index_.FindParts(key, response.vary_names, response.variant_key)) {
    if (!part || !part->SameWhole(*old->part)) index_.Remove(*old);
  }
}

Entry& Cache::Impl::Store(std::string_view key, std::shared_ptr<const StoredResponse> response,
                          uint64_t bytes, std::shared_ptr<const PartOf> part) {
  Entry fresh;
  fresh.id = response->object_id;
  fresh.vary_names = response->vary_names;
  fresh.variant_key = response->variant_key;
  fresh.bytes = bytes;
  fresh.body_bytes = response->body_bytes;
  fresh.tags = response->head.tags;
  fresh.part = std::move(part);
  Entry& entry = index_.Add(key, std::move(fresh));
  catalogue_.Add(entry);
  if (disk_status_.ok()) {
    SetPending(entry, response);
    put_.push_back(entry.id);
  }
  PutInMemory(entry, std::move(response));
  return entry;
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
    WakeWriter();
    return response;
  }
  {
    const std::lock_guard lock(mutex_);
    Entry* entry = index_.FindId(old->object_id);
    const bool purged = purges_.Concerns(asked_at, key, old->head.tags);
    if (!entry || purged) return std::make_shared<const StoredResponse>(std::move(fresh));
    index_.Remove(*entry);
  }
  // A large body stays where it is: it is served to those who have it, and has to be fetched again.
  if (!fresh.body) return std::make_shared<const StoredResponse>(std::move(fresh));
  Insert(key, request, fresh, asked_at);
  return std::make_shared<const StoredResponse>(std::move(fresh));
}

std::shared_ptr<const StoredResponse> Cache::Impl::WithoutDiskBody(
    const std::shared_ptr<const StoredResponse>& response) {
  if (!response->disk_body) return response;
  auto head = std::make_shared<StoredResponse>(*response);
  head->disk_body.reset();
  return head;
}

void Cache::Impl::Replace(Entry& entry, const std::shared_ptr<const StoredResponse>& response) {
  const uint64_t bytes = WeightOf(*entry.key, *response);
  const bool has_home = disk_status_.ok() || (response->body && memory_.Fits(bytes));
  const bool fits = index_.Fits(bytes) && has_home;
  const bool keep = fits && !response->head.bad_tags;
  if (!keep) return index_.Remove(entry);
  ClearPending(entry);
  memory_.Remove(entry.id);
  known_heads_.Remove(entry.id);
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
  if (disk_status_.ok()) SetPending(entry, WithoutDiskBody(response));
  PutInMemory(entry, response);
}

size_t Cache::Impl::Erase(std::string_view key) {
  const std::lock_guard lock(mutex_);
  const size_t erased = index_.RemoveKey(key);
  if (erased > 0) WakeWriter();
  return erased;
}

size_t Cache::Impl::EraseSelected(std::string_view key, const http::HeaderList& request) {
  const std::lock_guard lock(mutex_);
  size_t erased = 0;
  while (Entry* entry = index_.Find(key, request)) {
    index_.Remove(*entry);
    ++erased;
  }
  if (erased > 0) WakeWriter();
  return erased;
}

CacheStats Cache::Impl::Stats() const {
  const std::lock_guard lock(mutex_);
  CacheStats stats;
  stats.objects = index_.size();
  stats.max_objects = index_.max_objects();
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
PartBody Cache::FindPart(ObjectId id) { return impl_->FindPart(id); }
PartBody Cache::FindBody(ObjectId id) { return impl_->FindBody(id); }

InsertResult Cache::Insert(std::string_view key, const http::HeaderList& request, StoredResponse response,
                           uint64_t asked_at) {
  return impl_->Insert(key, request, std::move(response), asked_at);
}

std::shared_ptr<const StoredResponse> Cache::Refresh(std::string_view key, const http::HeaderList& request,
                                                     const std::shared_ptr<const StoredResponse>& old,
                                                     http::ResponseHead merged, uint64_t asked_at) {
  return impl_->Refresh(key, request, old, std::move(merged), asked_at);
}

std::unique_ptr<BodyWriter> Cache::BeginBody(uint64_t expected_bytes, BodyProgress progress) {
  auto upload = impl_->BeginUpload(expected_bytes, std::move(progress));
  if (!upload) return nullptr;
  return std::unique_ptr<BodyWriter>(new BodyWriter(*impl_, std::move(upload)));
}

bool Cache::IsLarge(uint64_t body_bytes) const { return impl_->IsLarge(body_bytes); }
bool Cache::FitsInMemoryAlone(uint64_t body_bytes) const { return impl_->FitsInMemoryAlone(body_bytes); }

size_t Cache::Purge(const PurgeSelection& selection, PurgeKind kind) { return impl_->Purge(selection, kind); }
uint64_t Cache::PurgeGeneration() const { return impl_->PurgeGeneration(); }
size_t Cache::Erase(std::string_view key) { return impl_->Erase(key); }
size_t Cache::EraseSelected(std::string_view key, const http::HeaderList& request) {
  return impl_->EraseSelected(key, request);
}
CacheStats Cache::Stats() const { return impl_->Stats(); }
absl::Status Cache::Flush() { return impl_->Flush(); }

}  // namespace perigee::replica
