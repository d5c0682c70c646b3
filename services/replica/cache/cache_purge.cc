// The part of the cache that purges.
#include <algorithm>
#include <thread>
#include <utility>

#include "services/replica/cache/cache_impl.h"

namespace perigee::replica {
namespace {

// Objects that are dealt with in one go, between which hits may pass.
constexpr size_t kPurgeSlice = 64;

}  // namespace

void ApplySoftPurge(WallTime purged_at, http::Freshness* freshness) {
  if (purged_at == kNotPurged) return;
  freshness->lifetime = std::min(freshness->lifetime, http::CurrentAge(*freshness, purged_at));
}

http::ReuseDecision DecideReuse(const StoredResponse& stored, const http::CacheControl& request,
                                WallTime now) {
  http::Freshness freshness = stored.freshness;
  if (stored.soft_purged_at > now || freshness.response_time > now + kMaxClockStep)
    ApplySoftPurge(now, &freshness);
  return http::DecideReuse(freshness, request, now);
}

uint64_t Cache::Impl::PurgeGeneration() const {
  const std::lock_guard lock(mutex_);
  return purges_.generation();
}

size_t Cache::Impl::Purge(const PurgeSelection& selection, PurgeKind kind) {
  const WallTime now = clock_.WallNow();
  std::unique_lock lock(mutex_);
  purges_.Add(selection);
  const std::vector<ObjectId> meant = catalogue_.Select(selection);
  size_t purged = 0;
  for (size_t i = 0; i < meant.size(); ++i) {
    if (i > 0 && i % kPurgeSlice == 0) {
      lock.unlock();
      std::this_thread::yield();
      lock.lock();
    }
    Entry* entry = index_.FindId(meant[i]);
    if (!entry) continue;
    ++purged;
    if (kind == PurgeKind::kHard) {
      index_.Remove(*entry);
    } else {
      MarkStale(*entry, now);
    }
  }
  ++purges_done_;
  purged_objects_ += purged;
  WakeWriter();
  return purged;
}

void Cache::Impl::MarkStale(Entry& entry, WallTime now) {
  if (entry.soft_purged_at != kNotPurged) return;
  entry.soft_purged_at = now;
  ++entry.version;
  std::shared_ptr<const StoredResponse> held = memory_.Get(entry.id);
  if (!held) held = entry.pending;
  if (entry.on_disk == OnDisk::kStored && !entry.head_changed) marks_.push_back(entry.id);
  if (!held) return;
  auto stale = std::make_shared<StoredResponse>(*held);
  stale->soft_purged_at = now;
  ApplySoftPurge(now, &stale->freshness);
  if (entry.pending) {
    SetPending(entry, stale);
    // What is being written is not what is pending any more.
    if (entry.on_disk != OnDisk::kAbsent) {
      entry.head_changed = true;
      heads_.insert(entry.id);
    }
  }
  if (memory_.Get(entry.id)) PutInMemory(entry, std::move(stale));
}

}  // namespace perigee::replica
