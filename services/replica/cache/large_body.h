// Large bodies, of which memory never holds more than a few chunks: DiskBody reads one from SQLite,
// BodyWriter brings one there while it comes from the origin.
//
// Large is what has more than CacheOptions::large_object_bytes. Such an object is in SQLite alone, not in the
// memory tier (unless it was stored whole, while the disk was out). No read transaction lasts longer than the
// reading of one chunk: each is looked up by its object's id, which is never used twice, so that a reader
// gets the bytes of its own object or an error, and the WAL can start anew whatever a slow client does.
//
// A Cache makes them and must outlive them.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "services/replica/cache/cache.h"

namespace perigee::replica {

// While a DiskBody lives its chunks stay, also when the object is evicted, replaced or purged meanwhile. They
// count against the budget until then, and all that stays so takes half of it at most: what would be more
// goes at once, and its readers fail. Thread-safe.
class DiskBody {
 public:
  ~DiskBody();
  DiskBody(const DiskBody&) = delete;
  DiskBody& operator=(const DiskBody&) = delete;

  // The chunk that begins at byte `number` × kChunkBytes, in place of what `out` holds. Waits for the disk.
  // NotFound: the body is gone. DataLoss: it is damaged; the object has been forgotten and counted.
  absl::Status ReadChunk(uint64_t number, std::string* out) const;

 private:
  friend class Cache::Impl;
  DiskBody(Cache::Impl& cache, uint64_t id) : cache_(cache), id_(id) {}

  Cache::Impl& cache_;
  const uint64_t id_;
};

// What the cache and a BodyWriter share; the cache's mutex guards it.
struct Upload;

// Belongs to one thread. What it has written is no object until Finish, and goes when it does not come to
// that: with the BodyWriter, or at the next start.
class BodyWriter {
 public:
  ~BodyWriter();
  BodyWriter(const BodyWriter&) = delete;
  BodyWriter& operator=(const BodyWriter&) = delete;

  // Takes the next bytes; never waits. The budget makes room for them. False: they cannot be stored (no room,
  // the disk is out, or CacheOptions::max_pending_bytes wait for it), and nothing will be.
  bool Append(std::string_view bytes);
  // There are no more. False as above.
  bool End();

  // Reads what is written, as BodyProgress has told.
  std::shared_ptr<const DiskBody> body() const;

  // Makes it an object, as Cache::Insert does, once all is written.
  InsertResult Finish(std::string_view key, const http::HeaderList& request, http::ResponseHead head,
                      uint64_t asked_at);

 private:
  friend class Cache;
  BodyWriter(Cache::Impl& cache, std::shared_ptr<Upload> upload);
  bool Flush();

  Cache::Impl& cache_;
  std::shared_ptr<Upload> upload_;
  std::string chunk_;
  uint64_t next_chunk_ = 0;
};

}  // namespace perigee::replica
