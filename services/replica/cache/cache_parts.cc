// The part of the cache that keeps parts of what is not stored whole.
#include <fmt/format.h>

#include <utility>

#include "lib/http_semantics/parts.h"
#include "services/replica/cache/cache_impl.h"

namespace perigee::replica {

std::shared_ptr<const StoredResponse> WholeInParts(std::shared_ptr<const StoredResponse> newest,
                                                   std::vector<StoredParts::Part> parts) {
  auto whole = std::make_shared<StoredResponse>(*newest);
  whole->body = {};
  whole->disk_body = nullptr;
  whole->body_bytes = http::ContentRangeOf(newest->head).value_or(http::ContentRange{}).complete;
  whole->head.status = 200;
  whole->head.reason = "OK";
  whole->head.headers.Remove("Content-Range");
  whole->head.headers.Set("Content-Length", fmt::format("{}", whole->body_bytes));
  whole->parts = std::make_shared<const StoredParts>(StoredParts{std::move(newest), std::move(parts)});
  return whole;
}

PartBody Cache::Impl::FindPart(ObjectId id) {
  const std::lock_guard lock(mutex_);
  Entry* entry = index_.FindId(id);
  if (!entry) return {};
  Hit(*entry);
  memory_.Hit(id);
  return BodyOf(*entry);
}

PartBody Cache::Impl::FindBody(ObjectId id) {
  const std::lock_guard lock(mutex_);
  const Entry* entry = index_.FindId(id);
  return entry ? BodyOf(*entry) : PartBody{};
}

PartBody Cache::Impl::BodyOf(const Entry& entry) {
  if (const auto held = memory_.Get(entry.id)) return {Lookup::kMemory, held->body, nullptr};
  if (entry.pending && entry.pending->body) return {Lookup::kMemory, entry.pending->body, nullptr};
  return {Lookup::kDisk, {}, Pin(entry.id)};
}

std::vector<StoredParts::Part> Cache::Impl::PartsWith(const Entry& part) {
  std::vector<StoredParts::Part> parts;
  for (const Entry* entry : index_.FindParts(*part.key, part.vary_names, part.variant_key)) {
    parts.push_back({entry->part->range.range, entry->id});
  }
  return parts;
}

void Cache::Impl::RemoveNeedless(const Entry& added) {
  const std::vector<Entry*> entries = index_.FindParts(*added.key, added.vary_names, added.variant_key);
  std::vector<http::ByteRange> ranges;
  size_t number = 0;
  for (const Entry* entry : entries) {
    if (entry == &added) number = ranges.size();
    ranges.push_back(entry->part->range.range);
  }
  for (const size_t needless : http::Needless(ranges, number)) index_.Remove(*entries[needless]);
}

}  // namespace perigee::replica
