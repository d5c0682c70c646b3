// Which fetches are under way, by the cache's key: who comes joins one of them or leads another.
#pragma once

#include <array>
#include <chrono>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

#include "services/replica/cache/purge.h"
#include "services/replica/fetch/fetch_error.h"
#include "services/replica/fetch/flight.h"
#include "services/replica/fetch/flight_memory.h"

namespace perigee::replica {

// Thread-safe.
class FlightTable {
 public:
  // The most failures that are held; the oldest is let go first.
  static constexpr size_t kMaxHeldFailures = 1'024;
  // So long, once an answer was for its own request alone, nobody waits for that of another.
  static constexpr std::chrono::seconds kAloneHold{10};
  // The keys of which that is known, at most: they take each other's places.
  static constexpr size_t kMaxAloneKeys = 1'024;

  FlightTable(uint64_t window, uint64_t max_bytes, std::chrono::milliseconds failure_hold)
      : window_(window), failure_hold_(failure_hold), memory_(max_bytes) {}

  // Held by the leader: ends the flight on every path. Movable, so that it can go with the body.
  class Lease {
   public:
    Lease(FlightTable* table, std::string key, std::shared_ptr<Flight> flight)
        : table_(table), key_(std::move(key)), flight_(std::move(flight)) {}
    Lease(Lease&&) = default;
    Lease& operator=(Lease&&) = delete;
    ~Lease() { End(); }

    const std::shared_ptr<Flight>& flight() const { return flight_; }
    // Nobody may join from here on.
    void Close();
    // The answer is for its own request alone: who has joined asks too, and when others' will be the same
    // (`lasting`) so does everybody for kAloneHold. Closes. Of a flight that nobody could join only that:
    // what a client's no-cache brings decides nothing for others.
    void GoAlone(bool lasting, MonoTime now = std::chrono::steady_clock::now());
    // Fails the flight before its head; for failure_hold those who join fail with it. Ends the lease.
    void Fail(FetchError error, MonoTime now = std::chrono::steady_clock::now());
    // As its destructor: holds the flight, and what that has found, no more.
    void End();

   private:
    FlightTable* table_;
    std::string key_;
    std::shared_ptr<Flight> flight_;
  };

  // The flight under way for `key`, or nothing and a lease: the caller leads, alone if it must (kAloneHold).
  struct Seat {
    std::shared_ptr<Flight> joined;
    std::optional<Lease> lease;
  };
  Seat Join(std::string_view key, MonoTime now = std::chrono::steady_clock::now());
  // A flight that nobody can join, for a request that must fetch for itself.
  Lease Solo(std::string_view key);

  // Nobody joins `flight` any more, which goes on for those who have.
  void Retire(std::string_view key, const std::shared_ptr<Flight>& flight);

  // A newer response to be stored has come than those of other flights for the same variant: none of theirs
  // is. Parts are not concerned, for they end each other by their validators (Cache::Insert).
  void Supersede(std::string_view key, const Flight& newer);

  // An unsafe request has changed `key`'s resource: nobody joins the fetches under way, and none is stored.
  void Invalidate(std::string_view key);

  // Nobody joins what the purge means, or may mean for all that is known of its tags yet. Those who joined
  // before go on. Whether it is stored is the cache's to say (Cache::Insert).
  void Detach(const PurgeSelection& selection);

  FlightMemory& memory() { return memory_; }
  size_t size() const;

 private:
  struct HeldFailure {
    std::string key;
    std::shared_ptr<Flight> flight;
    MonoTime until;
  };
  struct AloneKey {
    size_t hash = 0;
    MonoTime until;
  };
  // With mutex_ held.
  Lease SoloLocked(std::string_view key);
  bool IsJoinable(const std::string& key, const std::shared_ptr<Flight>& flight) const;
  AloneKey& AloneSlot(size_t hash) { return alone_[hash % alone_.size()]; }
  bool IsKnownAlone(std::string_view key, MonoTime now);
  void ForgetAlone(std::string_view key);
  // With mutex_ held: calls `use` with each flight of `key`.
  template <typename Use>
  void ForEach(const std::string& key, Use use);
  void Remove(const std::string& key, const std::shared_ptr<Flight>& flight);
  void LetGo(MonoTime now, size_t most);

  const uint64_t window_;
  const std::chrono::milliseconds failure_hold_;
  FlightMemory memory_;
  mutable std::mutex mutex_;
  std::unordered_map<std::string, std::shared_ptr<Flight>> flights_;
  std::unordered_multimap<std::string, std::shared_ptr<Flight>> solos_;
  std::array<AloneKey, kMaxAloneKeys> alone_{};  // by hash
  std::deque<HeldFailure> held_;  // oldest first; those of them that are still in flights_ may be joined
};

}  // namespace perigee::replica
