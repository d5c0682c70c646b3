// The part of the cache that deals with SQLite: opening, writing behind, failing and coming back.
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "lib/log/log.h"
#include "services/replica/cache/cache_impl.h"

namespace perigee::replica {
namespace {

constexpr LogModule kLog = LogModule::kReplicaCache;

// DataLoss when it is a part and does not say of what.
absl::StatusOr<Entry> EntryOf(LoadedObject& object) {
  Entry entry;
  entry.id = object.id;
  entry.vary_names = std::move(object.vary_names);
  entry.variant_key = std::move(object.variant_key);
  entry.bytes = object.bytes;
  entry.body_bytes = object.body_bytes;
  entry.hits = object.hits;
  entry.tags = std::move(object.tags);
  entry.soft_purged_at = object.soft_purged_at;
  entry.on_disk = OnDisk::kStored;
  if (object.status != 206) return entry;
  auto headers = http::HeaderList::FromText(std::move(object.part_headers));
  if (headers) entry.part = PartOf::From({.status = 206, .reason = {}, .headers = *std::move(headers)});
  if (!entry.part) return absl::DataLossError(fmt::format("object {} is a part of nothing", object.id));
  return entry;
}

// For an index that has started empty: an empty file too, which takes the place of one that there is no room
// to empty.
absl::StatusOr<std::unique_ptr<DiskTier>> OpenEmpty(const std::string& path) {
  auto disk = DiskTier::Open(path);
  if (absl::Status status = disk.ok() ? (*disk)->Clear() : disk.status(); !status.ok()) disk = status;
  if (!absl::IsResourceExhausted(disk.status()) || !RemoveCacheFile(path).ok()) return disk;
  return DiskTier::Open(path);
}

}  // namespace

absl::StatusOr<std::unique_ptr<FileLock>> FileLock::Take(const std::string& path) {
  const std::string name = path + ".lock";
  const int fd = open(name.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644);
  if (fd < 0) return absl::NotFoundError(fmt::format("{}: {}", name, std::strerror(errno)));
  std::unique_ptr<FileLock> lock(new FileLock(fd));
  if (flock(fd, LOCK_EX | LOCK_NB) == 0) return lock;
  return absl::FailedPreconditionError(
      fmt::format("{}: another process uses this cache; give each httpserver a file of its own", path));
}

FileLock::~FileLock() { close(fd_); }

absl::Status Cache::Impl::Start() {
  if (options_.path.empty()) {
    disk_status_ = absl::UnimplementedError("no disk tier");
    return absl::OkStatus();
  }
  if (absl::Status status = OpenDisk(); absl::IsFailedPrecondition(status)) return status;
  writer_ = std::thread([this] { WriterLoop(); });
  return absl::OkStatus();
}

Cache::Impl::~Impl() {
  {
    const std::lock_guard lock(mutex_);
    stop_ = true;
  }
  work_.notify_one();
  if (writer_.joinable()) writer_.join();
}

absl::Status Cache::Impl::OpenDisk() {
  auto lock = FileLock::Take(options_.path);
  if (absl::IsFailedPrecondition(lock.status())) return lock.status();
  auto disk = lock.ok() ? OpenAndLoad() : lock.status();
  if (lock.ok()) file_lock_ = *std::move(lock);
  if (absl::IsDataLoss(disk.status())) {
    const auto aside = MoveAside(options_.path, clock_.WallNow());
    LogError(kLog, {{"path", options_.path}}, "{}; moved aside to {}, starting empty",
             disk.status().ToString(), aside.ok() ? *aside : aside.status().ToString());
    ++disk_errors_;
    if (aside.ok()) disk = OpenAndLoad();
  }
  const std::lock_guard guard(mutex_);
  if (!disk.ok()) return GoOnInMemory(disk.status()), disk.status();
  disk_ = *std::move(disk);
  index_.EvictToBudget();
  return absl::OkStatus();
}

absl::StatusOr<std::unique_ptr<DiskTier>> Cache::Impl::OpenAndLoad() {
  auto disk = DiskTier::Open(options_.path);
  if (!disk.ok()) return disk.status();
  std::vector<LoadedObject> objects;
  absl::Status status = (*disk)->Load([&](LoadedObject object) { objects.push_back(std::move(object)); });
  if (!status.ok()) return status;
  std::vector<Entry> entries;
  for (LoadedObject& object : objects) {
    auto entry = EntryOf(object);
    if (!entry.ok()) return entry.status();
    entries.push_back(*std::move(entry));
  }
  const std::lock_guard lock(mutex_);
  for (size_t next = 0; next < objects.size(); ++next) {
    const LoadedObject& object = objects[next];
    index_.AddUnchecked(object.key, std::move(entries[next]));
    catalogue_.Add(*index_.FindId(object.id));
    next_id_ = object.id + 1;
  }
  return disk;
}

void Cache::Impl::WakeWriter() {
  if (disk_status_.ok() && (!gathers_ || IsUrgent())) work_.notify_one();
}

void Cache::Impl::WriterLoop() {
  using SteadyClock = std::chrono::steady_clock;
  std::unique_lock lock(mutex_);
  auto due = SteadyClock::now() + WriterInterval();
  for (bool stopping = false; !stopping;) {
    const bool shrinks = disk_status_.ok() && disk_->shrinks();
    const auto next = shrinks ? std::min(due, SteadyClock::now() + kShrinkPause) : due;
    work_.wait_until(lock, next, [&] {
      return stop_ || flushes_asked_ != flushes_done_ || (disk_status_.ok() && HasWrites());
    });
    gathers_ = true;
    work_.wait_until(lock, std::min(due, SteadyClock::now() + kWriteDelay), [&] { return IsUrgent(); });
    gathers_ = false;
    stopping = stop_;
    const uint64_t flush = flushes_asked_;
    const bool asked = flush != flushes_done_;
    const bool all = stopping || asked || SteadyClock::now() >= due;
    WriteOut(lock, /*with_hits=*/all, /*sync=*/asked);
    flushes_done_ = flush;
    flushed_.notify_all();
    if (all || !disk_status_.ok()) due = SteadyClock::now() + WriterInterval();
  }
}

absl::Status Cache::Impl::Flush() {
  if (options_.path.empty()) return absl::OkStatus();
  std::unique_lock lock(mutex_);
  const uint64_t ticket = ++flushes_asked_;
  work_.notify_one();
  flushed_.wait(lock, [&] { return flushes_done_ >= ticket; });
  return disk_status_;
}

// Writes what is there to be written now; what comes meanwhile waits for the next round.
void Cache::Impl::WriteOut(std::unique_lock<std::mutex>& lock, bool with_hits, bool sync) {
  if (!disk_status_.ok() && !Reconnect(lock)) return;
  size_t left = put_.size();
  do {
    const size_t before = put_.size();
    const WriteBatch batch = TakeBatch(with_hits);
    left -= std::min(left, before - put_.size());
    lock.unlock();
    const absl::Status applied = batch.empty() ? absl::OkStatus() : disk_->Apply(batch);
    absl::Status maintained = applied.ok() ? disk_->Maintain() : absl::OkStatus();
    if (applied.ok() && maintained.ok() && sync) maintained = disk_->Sync();
    lock.lock();
    if (applied.ok()) {
      Committed(batch);
    } else {
      Failed(batch);
    }
    const bool failed = !applied.ok() || !maintained.ok();
    if (failed) GoOnInMemory(applied.ok() ? maintained : applied);
    TellUploads(lock);
    if (failed) return;
  } while (left > 0);
}

// Hopes that the disk works again; a batch that fails says otherwise.
bool Cache::Impl::Reconnect(std::unique_lock<std::mutex>& lock) {
  if (!disk_) {
    lock.unlock();
    if (!file_lock_) file_lock_ = FileLock::Take(options_.path).value_or(nullptr);
    absl::StatusOr<std::unique_ptr<DiskTier>> disk = absl::UnavailableError("another process has the file");
    if (file_lock_) disk = OpenEmpty(options_.path);
    lock.lock();
    if (!disk.ok()) return false;
    disk_ = *std::move(disk);
  }
  disk_status_ = absl::OkStatus();
  index_.ForEach([&](Entry& entry) {
    const bool safe = entry.on_disk == OnDisk::kStored && !entry.head_changed;
    if (safe) return;
    SetPending(entry, memory_.Get(entry.id));
    if (entry.on_disk == OnDisk::kAbsent) put_.push_back(entry.id);
  });
  return true;
}

WriteBatch Cache::Impl::TakeBatch(bool with_hits) {
  WriteBatch batch;
  batch.erase = std::exchange(erase_, {});
  TakeLoosened(&batch);
  TakeChunks(&batch);
  TakePuts(&batch);
  TakeHeads(&batch);
  TakeMarks(&batch);
  if (with_hits) TakeHits(&batch);
  return batch;
}

void Cache::Impl::TakePuts(WriteBatch* batch) {
  uint64_t bytes = 0;
  while (!put_.empty() && batch->put.size() < kMaxBatchPuts && bytes < kMaxBatchBytes) {
    Entry* entry = index_.FindId(put_.front());
    put_.pop_front();
    if (!entry || entry->on_disk != OnDisk::kAbsent) continue;
    entry->on_disk = OnDisk::kWriting;
    bytes += entry->bytes;
    batch->put.push_back({entry->id, *entry->key, entry->hits, entry->pending});
  }
}

void Cache::Impl::TakeHeads(WriteBatch* batch) {
  for (const ObjectId id : std::exchange(heads_, {})) {
    if (Entry* entry = index_.FindId(id)) batch->heads.push_back({id, entry->pending});
  }
}

void Cache::Impl::TakeMarks(WriteBatch* batch) {
  for (const ObjectId id : std::exchange(marks_, {})) {
    if (const Entry* entry = index_.FindId(id)) batch->marks.push_back({id, entry->soft_purged_at});
  }
}

void Cache::Impl::TakeHits(WriteBatch* batch) {
  for (const ObjectId id : std::exchange(hits_, {})) {
    Entry* entry = index_.FindId(id);
    if (!entry) continue;
    entry->hits_changed = false;
    batch->hits.push_back({id, entry->hits});
  }
}

void Cache::Impl::Committed(const WriteBatch& batch) {
  const auto settle = [&](ObjectId id, const std::shared_ptr<const StoredResponse>& written) {
    Entry* entry = index_.FindId(id);
    if (!entry) return;
    entry->on_disk = OnDisk::kStored;
    if (entry->pending != written) return;  // refreshed meanwhile, and in heads_ again
    entry->head_changed = false;
    ClearPending(*entry);
  };
  CommittedChunks(batch);
  for (const auto& put : batch.put) settle(put.id, put.response);
  for (const auto& head : batch.heads) settle(head.id, head.response);
}

// A commit that failed may still have happened: what it put is erased before it is put again.
void Cache::Impl::Failed(const WriteBatch& batch) {
  erase_.insert(erase_.end(), batch.erase.begin(), batch.erase.end());
  loosen_.insert(loosen_.end(), batch.loosen.begin(), batch.loosen.end());
  for (const auto& chunk : batch.chunks) pending_bytes_ -= chunk.bytes.size();
  for (const auto& put : batch.put) {
    erase_.push_back(put.id);
    if (Entry* entry = index_.FindId(put.id)) entry->on_disk = OnDisk::kAbsent;
  }
  for (const auto& head : batch.heads) heads_.insert(head.id);
  for (const auto& mark : batch.marks) marks_.push_back(mark.id);
  for (const auto& hits : batch.hits) {
    Entry* entry = index_.FindId(hits.id);
    if (!entry || std::exchange(entry->hits_changed, true)) continue;
    hits_.push_back(hits.id);
  }
}

void Cache::Impl::DiskError(const absl::Status& status) {
  ++disk_errors_;
  LogError(kLog, {{"path", options_.path}}, "{}", status.ToString());
}

void Cache::Impl::GoOnInMemory(const absl::Status& status) {
  DiskError(status);
  LogError(kLog, {{"path", options_.path}}, "going on in memory alone; the disk is tried again every {} ms",
           options_.disk_retry.count());
  disk_status_ = status;
  put_.clear();
  FailUploads();
  std::vector<ObjectId> unsafe;
  index_.ForEach([&](Entry& entry) {
    if (entry.pending) unsafe.push_back(entry.id);
    ClearPending(entry);
  });
  for (const ObjectId id : unsafe) ForgetIfHomeless(id);
}

}  // namespace perigee::replica
