// The part of the cache that deals with bodies too large for memory.
#include <utility>

#include "services/replica/cache/cache_impl.h"
#include "services/replica/cache/large_body.h"

namespace perigee::replica {

std::shared_ptr<Upload> Cache::Impl::BeginUpload(uint64_t expected_bytes, BodyProgress progress) {
  const std::lock_guard lock(mutex_);
  if (!disk_status_.ok()) return nullptr;
  if (!index_.Fits(expected_bytes)) return ++inserts_refused_, nullptr;
  auto upload = std::make_shared<Upload>();
  upload->id = next_id_++;
  upload->progress = std::move(progress);
  uploads_.emplace(upload->id, upload);
  return upload;
}

bool Cache::Impl::AddChunk(Upload& upload, WriteBatch::BodyChunk chunk) {
  const uint64_t bytes = chunk.bytes.size();
  const std::lock_guard lock(mutex_);
  const bool busy = pending_bytes_ + bytes > options_.max_pending_bytes;
  const bool countable = chunk.number >> DiskTier::kChunkBits == 0;
  if (upload.failed) return false;
  if (busy || !countable || !index_.Reserve(bytes)) return ++inserts_refused_, false;
  upload.bytes += bytes;
  pending_bytes_ += bytes;
  chunks_.push_back(std::move(chunk));
  WakeWriter();
  return true;
}

bool Cache::Impl::FitsInMemoryAlone(uint64_t body_bytes) const {
  const std::lock_guard lock(mutex_);
  return !disk_status_.ok() && memory_.Fits(body_bytes);
}

std::shared_ptr<const DiskBody> Cache::Impl::BodyOf(const Upload& upload) {
  const std::lock_guard lock(mutex_);
  return Pin(upload.id);
}

void Cache::Impl::Abandon(Upload& upload) {
  const std::lock_guard lock(mutex_);
  if (uploads_.erase(upload.id) == 0) return;  // it is an object, or has failed
  upload.failed = true;
  if (KeepForReaders(upload.id, upload.bytes)) return;
  DropUpload(upload);
  WakeWriter();
}

void Cache::Impl::DropUpload(Upload& upload) {
  upload.failed = true;
  index_.Release(upload.bytes);
  erase_.push_back(upload.id);
}

void Cache::Impl::FailUploads() {
  for (const WriteBatch::BodyChunk& chunk : std::exchange(chunks_, {})) pending_bytes_ -= chunk.bytes.size();
  for (const auto& [id, upload] : std::exchange(uploads_, {})) {
    DropUpload(*upload);
    progressed_.push_back(upload);
  }
}

InsertResult Cache::Impl::AdmitUpload(Upload& upload, uint64_t bytes) {
  if (upload.failed) return InsertResult::kBusy;
  index_.Release(upload.bytes);
  if (index_.Fits(bytes)) {
    uploads_.erase(upload.id);
    return InsertResult::kStored;
  }
  index_.Reserve(upload.bytes);
  return InsertResult::kTooLarge;
}

void Cache::Impl::TakeChunks(WriteBatch* batch) {
  for (uint64_t bytes = 0; !chunks_.empty() && bytes < kMaxBatchBytes; chunks_.pop_front()) {
    WriteBatch::BodyChunk& chunk = chunks_.front();
    if (!uploads_.contains(chunk.id)) {  // given up meanwhile
      pending_bytes_ -= chunk.bytes.size();
      continue;
    }
    bytes += chunk.bytes.size();
    batch->chunks.push_back(std::move(chunk));
  }
}

void Cache::Impl::CommittedChunks(const WriteBatch& batch) {
  for (const WriteBatch::BodyChunk& chunk : batch.chunks) {
    pending_bytes_ -= chunk.bytes.size();
    const auto it = uploads_.find(chunk.id);
    if (it == uploads_.end()) continue;
    it->second->written += chunk.bytes.size();
    if (progressed_.empty() || progressed_.back() != it->second) progressed_.push_back(it->second);
  }
}

void Cache::Impl::TellUploads(std::unique_lock<std::mutex>& lock) {
  for (const auto& upload : std::exchange(progressed_, {})) {
    const uint64_t written = upload->written;
    const bool failed = upload->failed;
    lock.unlock();
    {
      const std::lock_guard guard(upload->progress_mutex);
      if (upload->progress) upload->progress(written, failed);
    }
    lock.lock();
  }
}

std::shared_ptr<const DiskBody> Cache::Impl::Pin(ObjectId id) {
  ++pins_[id].readers;
  return std::shared_ptr<const DiskBody>(new DiskBody(*this, id));
}

void Cache::Impl::Unpin(ObjectId id) {
  const std::lock_guard lock(mutex_);
  const auto it = pins_.find(id);
  if (--it->second.readers > 0) return;
  const uint64_t bytes = it->second.loose_bytes;
  pins_.erase(it);
  if (bytes == 0) return;
  loose_bytes_ -= bytes;
  index_.Release(bytes);
  erase_.push_back(id);
  WakeWriter();
}

bool Cache::Impl::KeepForReaders(ObjectId id, uint64_t body_bytes) {
  const auto pin = pins_.find(id);
  if (pin == pins_.end() || loose_bytes_ + body_bytes > options_.budget_bytes / 2) return false;
  pin->second.loose_bytes = body_bytes;
  loose_bytes_ += body_bytes;
  return true;
}

void Cache::Impl::TakeLoosened(WriteBatch* batch) {
  for (const ObjectId id : std::exchange(loosen_, {})) {
    if (pins_.contains(id)) batch->loosen.push_back(id);  // else it is being erased
  }
}

absl::Status Cache::Impl::ReadChunk(ObjectId id, uint64_t number, std::string* out) {
  absl::Status status = disk_->ReadChunk(id, number, out);
  if (status.ok()) return status;
  const std::lock_guard lock(mutex_);
  Entry* entry = index_.FindId(id);
  if (entry || absl::IsDataLoss(status)) DiskError(status);
  if (entry) index_.Remove(*entry);
  return status;
}

}  // namespace perigee::replica
