// One fetch, many waiters: a response that is on its way from the origin, and everyone who wants it.
//
// The first request for a key leads: it asks the origin, and the others wait for the head. What they are told
// then is one of
//   streaming  the response may be shared; read the body with a Reader, as it grows;
//   alone      it may not (private, no-store, too large …): each fetches for itself, and gets no byte of
//   this;
//   failed     the fetch failed; all fail alike, and for failure_hold those who come after it, so that an
//   origin in trouble is not asked once by each.
//
// The body is kept whole while it fits the window, so nobody waits for a slow reader, and a late one starts
// at the beginning. A large one is *spilled*: it goes to SQLite as it comes (cache/large_body.h), and of what
// is there memory keeps the last kSpillWindowBytes only. A reader that is further behind, or joins late, is
// told to read there; the disk sets the pace of the fetch when it is slower than the origin.
//
// When the body outgrows the window (possible only if its length was not known), the memory of all flights
// together is used up, or a spilled body cannot be stored after all, the flight becomes *windowed*: nobody
// may join, it is not stored, the fastest reader sets the pace, and a reader that falls more than a window
// behind it is cut off (kFellBehind).
//
// Thread-safe: the leader and the readers are coroutines of any Workers.
#pragma once

#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "absl/container/flat_hash_set.h"
#include "lib/http_semantics/freshness.h"
#include "lib/http_semantics/message.h"
#include "services/replica/cache/large_body.h"
#include "services/replica/cache/stored_response.h"
#include "services/replica/fetch/fetch_error.h"
#include "services/replica/fetch/flight_memory.h"
#include "services/replica/io/wakeup.h"

namespace perigee::replica {

using Chunk = std::shared_ptr<const std::string>;

// What a spilled flight keeps in memory. Several chunks of the disk, so that one can be written while others
// come.
inline constexpr uint64_t kSpillWindowBytes = 4 * kChunkBytes;

struct FlightHead {
  http::ResponseHead head;  // with the headers that may be shared (HeadersToStore)
  http::Freshness freshness;
  std::string vary_names;  // of the response, and what the leader's request selected by them
  std::string variant_key;
  std::optional<uint64_t> content_length;
  // The complete answer, when the origin said 304 to a validation; there is no body to read then.
  std::shared_ptr<const StoredResponse> refreshed;
  // `refreshed` is what was stored before, in place of a server's trouble: only for those who may have that.
  bool stands_in = false;
};

enum class FlightState { kWaiting, kStreaming, kDone, kAlone, kFailed };

class Flight {
 public:
  Flight(uint64_t window, FlightMemory& memory) : window_(window), memory_(memory) {}
  ~Flight();

  // --- Waiters ---

  // Returns what the wait ended with; never kWaiting.
  Task<FlightState> AwaitHead(Executor executor);
  // After kStreaming or kDone. Does not change any more.
  const FlightHead& head() const { return head_; }
  // After kFailed.
  FetchError error() const;
  // The same as head() when that is there already, else null.
  const FlightHead* known_head() const;

  // Reads the body from its beginning. Lives in one coroutine; keeps the flight alive.
  class Reader {
   public:
    explicit Reader(std::shared_ptr<Flight> flight);
    ~Reader();
    Reader(const Reader&) = delete;
    Reader& operator=(const Reader&) = delete;

    // kNone with a chunk: the next piece. kNone with `on_disk`: the next bytes are those from `begin` to
    // `end` there. kNone without: the body is complete. Else it never will be.
    struct Piece {
      FetchError error = FetchError::kNone;
      Chunk chunk = nullptr;
      std::shared_ptr<const DiskBody> on_disk = nullptr;
      uint64_t begin = 0;
      uint64_t end = 0;
    };
    Task<Piece> Next(Executor executor);
    // The next piece when it is in memory, else null: for the rest there is Next.
    Chunk TakeReady();

   private:
    friend class Flight;
    // With flight_->mutex_ held.
    Piece CatchUp();
    Chunk TakeChunk();  // null when there is none

    std::shared_ptr<Flight> flight_;
    size_t next_ = 0;        // number of the chunk to read next
    uint64_t position_ = 0;  // and where in the body it begins
  };

  // --- The leader ---

  void Publish(FlightHead head);
  void GoAlone();
  void Fail(FetchError error);  // inside the body; before its head: Lease::Fail
  // Takes the next piece of the body; waits when the flight is windowed or spilled and the window is full.
  // False when nobody reads any more and nothing will be stored: stop fetching.
  Task<bool> Append(Executor executor, Chunk piece);
  // From here on the body is spilled: its leader writes it, from the beginning, to where `body` reads it.
  // Returns what there is already.
  std::vector<Chunk> Spill(std::shared_ptr<const DiskBody> body);
  // Thread-safe: the first `bytes` are written.
  void Written(uint64_t bytes);
  // Thread-safe: what is spilled will not be stored.
  void StopSpilling();
  // After the last piece: waits until all is written. False when it will not be.
  Task<bool> AwaitWritten(Executor executor);
  // The body is complete.
  void Finish();
  // Fails the flight unless it has come to its end: nobody is left waiting, whatever path the leader took.
  void Abandon();
  // What is under way is older than a change of the resource: it must not be stored.
  void Invalidate();
  // The whole body in one string, when it may be stored: nothing once windowed or invalidated. Not of a
  // spilled one.
  Chunk WholeBody() const;
  bool storable() const;
  bool windowed() const;
  // Bytes of the body that have come.
  uint64_t size() const;

  // Those of the response; nothing before its head is there.
  std::optional<std::string> Tags() const;

 private:
  enum class Room { kFree, kFull, kUnwanted };
  // All with mutex_ held.
  Room MakeRoom(uint64_t bytes);
  Room MakeSpillRoom(uint64_t bytes);
  Room MakeWindowRoom(uint64_t bytes);
  bool TakeMemory(uint64_t window, uint64_t bytes);
  void DropFirst();
  std::vector<std::shared_ptr<Wakeup>> SetState(FlightState state);
  static void WakeAll(const std::vector<std::shared_ptr<Wakeup>>& waiters);

  const uint64_t window_;
  FlightMemory& memory_;

  mutable std::mutex mutex_;
  FlightState state_ = FlightState::kWaiting;
  FetchError error_ = FetchError::kNone;
  FlightHead head_;
  std::deque<Chunk> chunks_;
  size_t first_chunk_ = 0;  // the number of chunks_.front()
  uint64_t begin_ = 0;      // where in the body it begins
  uint64_t buffered_ = 0;
  std::shared_ptr<const DiskBody> spilled_;  // null: it is not
  uint64_t written_ = 0;                     // bytes of it; begin_ is not beyond them, unless windowed
  bool windowed_ = false;
  bool invalidated_ = false;
  absl::flat_hash_set<const Reader*> readers_;
  std::vector<std::shared_ptr<Wakeup>> waiters_;  // for the head or for the next chunk
  std::shared_ptr<Wakeup> producer_;              // waits for room, or for the disk
};

}  // namespace perigee::replica
