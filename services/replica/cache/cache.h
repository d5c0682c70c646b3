// The cache of one replica: what is stored, in memory and in SQLite, never more than its budget.
//
//   Find: memory tier → writes that are still under way → SQLite.     Insert: memory tier, and SQLite a
//   little later.
//
// One budget counts everything stored: key, variant, head and body of each object, in bytes. It holds at
// every instant, in the index and, commit by commit, in SQLite. When it is used up, the objects with the
// fewest hits go first; what "fewest" means (for each byte, aged, …) is CacheOptions::eviction's affair. The
// memory tier is a part of the same objects, within a budget of its own.
//
// Thread-safe: any thread may call anything at any time. One mutex guards the index and is held for map
// operations only; SQLite is read in the caller's thread without it and written by one thread of the cache's
// own. Nothing here waits for the disk, except Flush, the destructor, and Find for what is only in SQLite: of
// a large object its head, of others the body too. Every chunk of a body is verified when it is read.
//
// When the disk fails (full, gone, read-only) the cache goes on in memory alone, says so in its log and its
// statistics, and tries the disk again every CacheOptions::disk_retry.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "lib/base/clock.h"
#include "lib/http_semantics/headers.h"
#include "lib/http_semantics/storability.h"
#include "services/replica/cache/eviction.h"
#include "services/replica/cache/purge.h"
#include "services/replica/cache/stored_response.h"

namespace perigee::replica {

struct CacheOptions {
  // The SQLite file; it and its -wal, -shm and .lock belong to one process. Empty: memory alone.
  std::string path;
  uint64_t budget_bytes = 10'000'000;
  uint64_t memory_budget_bytes = 10'000'000;
  // Each object takes some 600 bytes of memory, and twice its key, for as long as it is stored: in no budget.
  uint64_t max_objects = 1'000'000;
  // Of both tiers.
  Eviction eviction = kDefaultEviction;
  http::CachePolicy policy;
  // Bodies of more bytes are written to SQLite and read from there chunk by chunk (large_body.h).
  uint64_t large_object_bytes = 1'048'576;
  // Bytes of stored objects that wait for SQLite; what is inserted beyond it is not stored.
  uint64_t max_pending_bytes = 64'000'000;
  // How often hit counts are written.
  std::chrono::milliseconds hits_flush_interval{5'000};
  std::chrono::milliseconds disk_retry{30'000};
};

// Variants kept under one key; beyond it the one stored first goes.
inline constexpr size_t kMaxVariantsPerKey = 64;
// Parts kept under one key; the same. And those that one answer is put together of at most.
inline constexpr size_t kMaxPartsPerKey = 256;
inline constexpr size_t kMaxPartsPerAnswer = 16;
// Of heads that are known from their last reading, beside the memory budget: what has one needs but its body
// read.
inline constexpr uint64_t kKnownHeadsBytes = 1'000'000;
// Purged keys, prefixes and tags that are remembered, for the fetches that began before them (purge.h).
inline constexpr size_t kMaxRememberedPurges = 4096;

enum class Lookup {
  kMemory,    // found in memory
  kDisk,      // found in SQLite, and now in memory if it fits there
  kUriMiss,   // nothing under this key
  kVaryMiss,  // only variants for other requests
};
std::string_view Name(Lookup lookup);

struct FindResult {
  Lookup lookup = Lookup::kUriMiss;
  // Set exactly when found. May be stale: DecideReuse tells. Has its body or, when that is large, a DiskBody;
  // or parts of it (FindPart), of which nothing says that they are what the request wants.
  std::shared_ptr<const StoredResponse> response;
};

// The bytes of one part: in memory, or what reads them, however few they are.
struct PartBody {
  Lookup lookup = Lookup::kUriMiss;
  Body body;
  std::shared_ptr<const DiskBody> disk_body;
};

enum class InsertResult {
  kStored,
  kTooLarge,  // larger than the whole budget (or than the memory budget while the disk is out)
  kVaryStar,  // Vary: * can never be found again
  kBusy,      // max_pending_bytes are waiting for the disk; or it failed below a large body
  kBadTags,   // its tags cannot be kept, so that a purge might miss it
  kPurged,    // asked for before a purge that means it
  kBadRange,  // a 206 whose Content-Range is not that of one part, or of another length than its body
  kWhole,     // a part of what has been stored whole meanwhile
};
std::string_view Name(InsertResult result);

struct CacheStats {
  uint64_t objects = 0;
  uint64_t max_objects = 0;
  uint64_t bytes = 0;  // at most budget_bytes; with large bodies that come, and that are only read any more
  uint64_t budget_bytes = 0;
  uint64_t memory_objects = 0;
  uint64_t memory_bytes = 0;  // at most memory_budget_bytes
  uint64_t memory_budget_bytes = 0;
  uint64_t pending_bytes = 0;  // not yet in SQLite
  // Since Open:
  uint64_t evictions = 0;
  uint64_t inserts_refused = 0;  // kBusy and kTooLarge
  uint64_t disk_errors = 0;
  uint64_t purges = 0;          // calls of Purge
  uint64_t purged_objects = 0;  // that they met
  bool disk_ok = false;         // false while the cache runs in memory alone
};

class BodyWriter;
// `written`: bytes of the body, from its beginning, that are in SQLite: whole chunks until the end is.
// `failed`: it will not be stored.
using BodyProgress = std::function<void(uint64_t written, bool failed)>;

class Cache {
 public:
  // Opens or creates the file and loads what it holds, with hit counts; evicts down to the budget. A damaged
  // file, or one of another version, is moved aside to "<path>.damaged-<unix time>" and logged, and the cache
  // starts empty. A disk that cannot be used is no error: the cache starts in memory alone. Errors:
  // InvalidArgument (no budget), FailedPrecondition (another process has the file open). `clock` must outlive
  // the cache.
  static absl::StatusOr<std::unique_ptr<Cache>> Open(CacheOptions options, const Clock& clock);

  // Writes out what is pending. No other call may be under way.
  ~Cache();
  Cache(const Cache&) = delete;
  Cache& operator=(const Cache&) = delete;

  // The newest stored variant that `request` selects, and counts a hit on it. `key` is the primary key:
  // scheme, host, path and query as the caller normalised them, without the method.
  FindResult Find(std::string_view key, const http::HeaderList& request);
  // One of the parts that Find has told, and counts a hit on it; nothing is read from SQLite for it. kUriMiss
  // when it has gone meanwhile.
  PartBody FindPart(ObjectId id);
  // The same without a hit, of any object: for who has let its body go and wants more of it.
  PartBody FindBody(ObjectId id);

  // Stores `response` in place of the same variant. Whether it may be stored (JudgeStorability) and which
  // headers (HeadersToStore) is the caller's affair. Found by every Find that starts after Insert returned.
  // `response.body` must be set. The new object starts without hits, or with those
  // that the eviction policy remembers; what it replaces leaves its hits behind.
  // `asked_at`: the PurgeGeneration from before the origin was asked.
  //
  // A 206 is stored as a part. It joins the parts of the same validator and complete length, whose bytes it
  // must continue byte for byte (a strong validator: the caller's affair), and ends those of another; parts
  // that are needless beside it go. A whole ends all parts of its variant.
  InsertResult Insert(std::string_view key, const http::HeaderList& request, StoredResponse response,
                      uint64_t asked_at = kAfterEveryPurge);

  // Begins to store a body of which more than large_object_bytes are expected: `expected_bytes` when known,
  // else as many as there are already. Null when that does not fit, or the disk is out. `progress` is called
  // in the cache's thread until the BodyWriter goes; it must not wait.
  std::unique_ptr<BodyWriter> BeginBody(uint64_t expected_bytes, BodyProgress progress);
  bool IsLarge(uint64_t body_bytes) const;
  // Whether a large body can be stored by Insert, and only so: while the disk is out.
  bool FitsInMemoryAlone(uint64_t body_bytes) const;

  // After a 304: gives the stored object `old` (from Find) the head `merged` (from MergeNotModified), keeping
  // body, hits and its place in the order of eviction. `request` is the client's, as for Insert: a 304 may
  // change Vary. Returns the merged response, whether or not it could be kept (it is not when `old` has been
  // evicted, replaced or purged meanwhile). A soft purge from before `asked_at` is over with it.
  std::shared_ptr<const StoredResponse> Refresh(std::string_view key, const http::HeaderList& request,
                                                const std::shared_ptr<const StoredResponse>& old,
                                                http::ResponseHead merged,
                                                uint64_t asked_at = kAfterEveryPurge);

  // Forgets every variant. No Find that starts afterwards returns one of them; Flush makes that last beyond a
  // crash. Returns how many there were.
  size_t Erase(std::string_view key);
  // The same for those that `request` selects, older ones too.
  size_t EraseSelected(std::string_view key, const http::HeaderList& request);

  // Purges what is stored when the call begins, and keeps out what was asked for before it. No Find that
  // starts after it returned gives one of the old ones (kHard), or gives it as fresh (kSoft). Flush makes
  // that last beyond a crash. Returns how many objects it met. Hits pass meanwhile, for it works in slices.
  size_t Purge(const PurgeSelection& selection, PurgeKind kind);
  // What a fetch notes before it asks the origin, for Insert and Refresh.
  uint64_t PurgeGeneration() const;

  CacheStats Stats() const;

  // Returns when everything done before the call is committed to SQLite and synced, so that it outlives the
  // machine's failure, hit counts too; the error when the disk is out. OK at once without a disk tier.
  absl::Status Flush();

 private:
  friend class BodyWriter;
  friend class DiskBody;
  class Impl;
  explicit Cache(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace perigee::replica
