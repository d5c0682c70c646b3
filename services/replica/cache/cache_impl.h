// What is behind Cache: the tiers, the one mutex, and the thread that writes to SQLite.
//
// An object is *safe* when SQLite has it in its present form. One that is not safe is held by `pending` while
// the disk works, and by the memory tier alone while it does not; one held by neither is forgotten. A batch
// for SQLite holds every erasure since the last one, so that what SQLite has after a commit is a part of what
// the index had when the batch was made: the budget holds there because it holds here.
//
// A large body comes to SQLite before its object is in the index, and may stay a little after it: meanwhile
// its bytes are reserved there. What `pending` has of such an object is its head, without the DiskBody.
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "services/replica/cache/body_file.h"
#include "services/replica/cache/cache.h"
#include "services/replica/cache/catalogue.h"
#include "services/replica/cache/disk_tier.h"
#include "services/replica/cache/index.h"
#include "services/replica/cache/memory_tier.h"

namespace perigee::replica {

// Keeps the file to one process: an flock on "<path>.lock" for as long as it lives.
class FileLock {
 public:
  // FailedPrecondition when another process holds it, NotFound when it cannot be made.
  static absl::StatusOr<std::unique_ptr<FileLock>> Take(const std::string& path);
  ~FileLock();
  FileLock(const FileLock&) = delete;
  FileLock& operator=(const FileLock&) = delete;

 private:
  explicit FileLock(int fd) : fd_(fd) {}
  const int fd_;
};

// A large body that is being written. The Cache's mutex guards it, but for what calls `progress`.
struct Upload {
  ObjectId id = 0;
  uint64_t bytes = 0;    // handed over, and reserved in the index
  uint64_t written = 0;  // committed
  bool failed = false;
  std::mutex progress_mutex;
  BodyProgress progress;
};

// What one transaction writes at most; erasures and hit counts, which are small, come on top.
inline constexpr size_t kMaxBatchPuts = 256;
inline constexpr uint64_t kMaxBatchBytes = 4'000'000;
// Writes wait so long for others that come, which share their transaction and its pages. With the first of
// them the writer would also take the processor from the request that brought it.
inline constexpr std::chrono::milliseconds kWriteDelay{20};
// Between the steps in which a file with much free space shrinks while nothing is written: some 10 MB a
// second.
inline constexpr std::chrono::milliseconds kShrinkPause{100};

class Cache::Impl {
 public:
  Impl(CacheOptions options, const Clock& clock);
  ~Impl();

  // Opens the disk tier, loads it, and starts the writer. Errors as Cache::Open has them.
  absl::Status Start();

  FindResult Find(std::string_view key, const http::HeaderList& request);
  PartBody FindPart(ObjectId id);
  PartBody FindBody(ObjectId id);
  InsertResult Insert(std::string_view key, const http::HeaderList& request, StoredResponse response,
                      uint64_t asked_at, Upload* upload = nullptr);
  std::shared_ptr<const StoredResponse> Refresh(std::string_view key, const http::HeaderList& request,
                                                const std::shared_ptr<const StoredResponse>& old,
                                                http::ResponseHead merged, uint64_t asked_at);
  uint64_t PurgeGeneration() const;
  size_t Purge(const PurgeSelection& selection, PurgeKind kind);
  size_t Erase(std::string_view key);
  size_t EraseSelected(std::string_view key, const http::HeaderList& request);
  CacheStats Stats() const;
  absl::Status Flush();

  // For BodyWriter and DiskBody (cache_large.cc).
  bool IsLarge(uint64_t body_bytes) const { return body_bytes > options_.large_object_bytes; }
  std::shared_ptr<Upload> BeginUpload(uint64_t expected_bytes, BodyProgress progress);
  bool FitsInMemoryAlone(uint64_t body_bytes) const;
  bool AddChunk(Upload& upload, WriteBatch::BodyChunk chunk);
  void Abandon(Upload& upload);
  std::shared_ptr<const DiskBody> BodyOf(const Upload& upload);
  absl::Status ReadChunk(ObjectId id, uint64_t number, std::string* out);
  void Unpin(ObjectId id);

 private:
  // All below until the writer's part: with mutex_ held.
  struct DiskRead {
    DiskTier* disk;
    ObjectId id;
    uint64_t version;
    std::shared_ptr<const StoredResponse> head;  // null: not known
  };
  // Counts a hit. May let go of the lock, and of the entry with it.
  FindResult Get(std::unique_lock<std::mutex>& lock, Entry& entry);
  void Hit(Entry& entry);
  PartBody BodyOf(const Entry& entry);
  void KeepHead(const Entry& entry, std::shared_ptr<const StoredResponse> head);
  void PutInMemory(Entry& entry, std::shared_ptr<const StoredResponse> response);
  void SetPending(Entry& entry, std::shared_ptr<const StoredResponse> response);
  void ClearPending(Entry& entry);
  static uint64_t PendingBytes(const Entry& entry);
  static std::shared_ptr<const StoredResponse> WithoutDiskBody(
      const std::shared_ptr<const StoredResponse>& response);
  std::shared_ptr<const StoredResponse> WithDiskBody(const StoredResponse& head);
  void ForgetIfHomeless(ObjectId id);
  uint64_t OnRemoved(Entry& entry, uint64_t may_stay);
  InsertResult Admit(uint64_t bytes) const;
  // What `response`, a part or not, takes the place of.
  void RemoveReplaced(std::string_view key, const StoredResponse& response, const PartOf* part);
  Entry& Store(std::string_view key, std::shared_ptr<const StoredResponse> response, uint64_t bytes,
               std::shared_ptr<const PartOf> part);
  void Replace(Entry& entry, const std::shared_ptr<const StoredResponse>& response);
  void MarkStale(Entry& entry, WallTime now);
  InsertResult AdmitUpload(Upload& upload, uint64_t bytes);
  void DropUpload(Upload& upload);
  void FailUploads();
  std::shared_ptr<const DiskBody> Pin(ObjectId id);
  bool KeepForReaders(ObjectId id, uint64_t body_bytes);

  // Without the mutex, which it takes.
  FindResult FindOnDisk(DiskRead read);
  absl::StatusOr<std::shared_ptr<StoredResponse>> Read(DiskRead* read) const;

  // Parts (cache_parts.cc).
  std::vector<StoredParts::Part> PartsWith(const Entry& part);
  void RemoveNeedless(const Entry& added);

  // The writer's part (cache_writer.cc).
  absl::Status OpenDisk();
  absl::StatusOr<std::unique_ptr<DiskTier>> OpenAndLoad();
  void WriterLoop();
  void WriteOut(std::unique_lock<std::mutex>& lock, bool with_hits, bool sync);
  bool Reconnect(std::unique_lock<std::mutex>& lock);
  std::chrono::milliseconds WriterInterval() const {
    return disk_status_.ok() ? options_.hits_flush_interval : options_.disk_retry;
  }
  bool HasWrites() const {
    return !put_.empty() || !erase_.empty() || !loosen_.empty() || !chunks_.empty() || !heads_.empty() ||
           !marks_.empty();
  }
  // Whether somebody waits for what is to be written, or much is.
  bool IsUrgent() const {
    return stop_ || flushes_asked_ != flushes_done_ || !chunks_.empty() ||
           pending_bytes_ > options_.max_pending_bytes / 4;
  }
  // When there may be something to write.
  void WakeWriter();
  WriteBatch TakeBatch(bool with_hits);
  void TakeLoosened(WriteBatch* batch);
  void TakeChunks(WriteBatch* batch);
  void TakePuts(WriteBatch* batch);
  void TakeHeads(WriteBatch* batch);
  void TakeHits(WriteBatch* batch);
  void TakeMarks(WriteBatch* batch);
  void Committed(const WriteBatch& batch);
  void CommittedChunks(const WriteBatch& batch);
  void TellUploads(std::unique_lock<std::mutex>& lock);
  void Failed(const WriteBatch& batch);
  void DiskError(const absl::Status& status);
  void GoOnInMemory(const absl::Status& status);

  // The body in the form in which the memory tier keeps it.
  Body ForMemory(Body body) const;

  const CacheOptions options_;
  const Clock& clock_;
  const std::unique_ptr<BodyFile> body_file_;

  mutable std::mutex mutex_;
  MemoryTier memory_;
  // Of what was read from SQLite last, without bodies: as SQLite has them, soft purges not applied.
  MemoryTier known_heads_{kKnownHeadsBytes, MakeEvictionPolicy(Eviction::kLru)};
  Index index_;
  Catalogue catalogue_;  // of exactly the entries of index_
  PurgeLog purges_{kMaxRememberedPurges};
  ObjectId next_id_ = 1;
  uint64_t pending_bytes_ = 0;  // of the entries that have `pending`, and of chunks not committed

  // The bodies that somebody reads from SQLite, or may.
  struct Pins {
    size_t readers = 0;
    uint64_t loose_bytes = 0;  // reserved in the index: the object has left it
  };
  absl::flat_hash_map<ObjectId, Pins> pins_;
  uint64_t loose_bytes_ = 0;  // the sum over pins_
  absl::flat_hash_map<ObjectId, std::shared_ptr<Upload>> uploads_;
  std::vector<std::shared_ptr<Upload>> progressed_;  // to be told so

  uint64_t inserts_refused_ = 0;
  uint64_t disk_errors_ = 0;
  uint64_t purges_done_ = 0;
  uint64_t purged_objects_ = 0;

  // What SQLite is to be told. Ids of entries that are gone are passed over.
  std::vector<ObjectId> erase_;
  std::vector<ObjectId> loosen_;
  std::deque<WriteBatch::BodyChunk> chunks_;
  std::deque<ObjectId> put_;
  absl::flat_hash_set<ObjectId> heads_;
  std::vector<ObjectId> hits_;
  std::vector<ObjectId> marks_;  // those made stale by a soft purge

  std::unique_ptr<FileLock> file_lock_;
  std::unique_ptr<DiskTier> disk_;  // set once; the writer uses it, and Find its Read
  absl::Status disk_status_;        // not OK while the cache runs in memory alone
  bool stop_ = false;
  uint64_t flushes_asked_ = 0;
  uint64_t flushes_done_ = 0;
  std::condition_variable work_;
  bool gathers_ = false;  // the writer waits for kWriteDelay
  std::condition_variable flushed_;
  std::thread writer_;
};

}  // namespace perigee::replica
