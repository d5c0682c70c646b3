// The stored objects in SQLite: a table of heads, and one of body chunks, each with its checksum.
//
// A body may be there without its object, *loose*: while it is being written over several batches, or read by
// those who began before its object went. Open erases what a crash left loose.
//
// Apply, Maintain and Clear belong to one thread; ReadHead, ReadBody and ReadChunk may be called from any,
// beside them. Every batch is one transaction, so that a crash leaves the objects of some batch's end, whole.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "lib/sqlite/sqlite.h"
#include "services/replica/cache/eviction.h"
#include "services/replica/cache/stored_response.h"

namespace perigee::replica {

// What one transaction does, in this order.
struct WriteBatch {
  // Of a loose body.
  struct BodyChunk {
    ObjectId id;
    uint64_t number;
    std::string bytes;
  };
  // With its body; without one in `response`, the loose body becomes the object's.
  struct Put {
    ObjectId id;
    std::string key;
    uint64_t hits;
    std::shared_ptr<const StoredResponse> response;
  };
  struct Head {
    ObjectId id;
    std::shared_ptr<const StoredResponse> response;
  };
  struct Hits {
    ObjectId id;
    uint64_t hits;
  };
  struct Mark {
    ObjectId id;
    WallTime soft_purged_at;
  };
  std::vector<ObjectId> erase;   // objects and loose bodies; those not there are passed over
  std::vector<ObjectId> loosen;  // objects that go; their bodies become loose
  std::vector<BodyChunk> chunks;
  std::vector<Put> put;
  std::vector<Head> heads;
  std::vector<Mark> marks;
  std::vector<Hits> hits;

  bool empty() const {
    return erase.empty() && loosen.empty() && chunks.empty() && put.empty() && heads.empty() &&
           marks.empty() && hits.empty();
  }
};

struct LoadedObject {
  ObjectId id;
  std::string key;
  std::string vary_names;
  std::string variant_key;
  uint64_t bytes;  // as WeightOf gives it
  uint64_t body_bytes;
  uint64_t hits;
  std::string tags;
  WallTime soft_purged_at;
  int status;
  std::string part_headers;  // of a 206, else empty
};

// What an object counts against the budget: key, variant, head, tags and body.
uint64_t WeightOf(std::string_view key, const StoredResponse& response);

class DiskTier {
 public:
  // Objects larger than this many chunks (256 GiB) cannot be numbered.
  static constexpr int kChunkBits = 20;

  // Opens or creates. DataLoss when the file is damaged, not ours, or of another version.
  static absl::StatusOr<std::unique_ptr<DiskTier>> Open(const std::string& path);
  ~DiskTier();

  // In the order of storing.
  absl::Status Load(const std::function<void(LoadedObject)>& take);

  // An object without its body; leaves `freshness` to the caller. NotFound when it is not (or no longer)
  // there, DataLoss when it is damaged.
  absl::StatusOr<StoredResponse> ReadHead(ObjectId id);
  // The whole body, of which `size` bytes were stored. DataLoss when it is not there as it was stored.
  absl::StatusOr<Body> ReadBody(ObjectId id, uint64_t size);
  // One chunk of a body, loose or not, in place of what `out` holds. Errors of both.
  absl::Status ReadChunk(ObjectId id, uint64_t number, std::string* out);

  absl::Status Apply(const WriteBatch& batch);
  // What has been applied outlives a failure of the machine, not only of the process.
  absl::Status Sync();
  // Checkpoints and gives free pages back when there are enough of them. Call now and then after Apply.
  absl::Status Maintain();
  // Whether that has left more to be given back. Of the same thread.
  bool shrinks() const { return shrinks_; }
  absl::Status Clear();

 private:
  // Between two commits a reader keeps its read transaction, for taking it means file locks.
  struct Reader {
    sqlite::Database database;
    sqlite::Statement object;
    sqlite::Blob chunk;
    uint64_t commits = 0;
    bool in_snapshot = false;

    absl::Status EnterSnapshot(uint64_t commits_now);
    void LeaveSnapshot();
  };
  explicit DiskTier(sqlite::Database database) : database_(std::move(database)) {}
  absl::Status Prepare();
  absl::Status Write(const WriteBatch& batch);
  absl::Status Erase(ObjectId id);
  absl::Status Put(const WriteBatch::Put& put);
  absl::Status PutChunks(ObjectId id, std::string_view body);
  absl::Status PutChunk(ObjectId id, uint64_t number, std::string_view bytes);
  absl::Status PutLoose(const WriteBatch::BodyChunk& chunk);
  absl::Status Loosen(ObjectId id);
  absl::Status EraseLoose();
  absl::Status PutHead(const WriteBatch::Head& head);
  absl::Status PutMark(const WriteBatch::Mark& mark);
  absl::Status PutHits(const WriteBatch::Hits& hits);
  // One in a snapshot. Given back after its use, unless that failed.
  absl::StatusOr<std::unique_ptr<Reader>> TakeReader();
  absl::StatusOr<std::unique_ptr<Reader>> IdleOrNewReader();
  void GiveBack(std::unique_ptr<Reader> reader);
  // Every snapshot is too old, and in the way of the WAL's restart: idle readers leave theirs now, the others
  // when they are given back.
  void EndSnapshots();

  sqlite::Database database_;  // the writer's; statements go before it
  sqlite::Statement erase_object_;
  sqlite::Statement erase_chunks_;
  sqlite::Statement erase_loose_;
  sqlite::Statement put_loose_;
  sqlite::Statement put_object_;
  sqlite::Statement put_chunk_;
  sqlite::Statement put_head_;
  sqlite::Statement put_mark_;
  sqlite::Statement put_hits_;
  std::string row_;  // the chunk being written; kept for its memory
  int wal_pages_ = 0;
  bool unsynced_ = false;
  bool shrinks_ = false;

  std::atomic<uint64_t> commits_{0};  // grows with everything that changes what a reader sees
  std::mutex readers_mutex_;
  std::vector<std::unique_ptr<Reader>> idle_readers_;
};

// Removes the file and its -wal and -shm; FailedPrecondition when it is no cache of this version.
absl::Status RemoveCacheFile(const std::string& path);

// Renames the file and its -wal and -shm to "<path>.damaged-<unix time>"…; returns the new name. One that
// lies there from before goes: they are in no budget.
absl::StatusOr<std::string> MoveAside(const std::string& path, WallTime now);

}  // namespace perigee::replica
