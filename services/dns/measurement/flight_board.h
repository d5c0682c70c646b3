// The measurements under way: a pure state machine, fed with queries, answers and time.
//
// A flight is one fan-out of Measure for one client prefix. It decides as soon as no outstanding replica can
// be nearer (early_decision.h), or when the hold has run out, with the best that there is by then. All
// queries of the prefix wait for the same flight and are answered together; those that come later are
// answered at once. The flight itself goes on until every replica has answered or the Measure deadline has
// passed, and what it learned is put into the map.
//
// Threads: one. The owner calls everything from its loop; see measurement_loop.h.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "lib/base/address.h"
#include "lib/base/clock.h"
#include "services/dns/fleet/fleet_state.h"
#include "services/dns/map/rtt_map.h"
#include "services/dns/steering/choose.h"

namespace perigee::dns {

struct FlightOptions {
  std::chrono::milliseconds hold{400};
  std::chrono::milliseconds measure_deadline{3000};
  // Beyond it an unknown client is answered with the fallback at once.
  size_t max_flights = 1024;
  // Beyond it a query is dropped: its resolver will ask again.
  size_t max_parked_per_flight = 64;
};

// Sends Measure to one replica's prober.
class ProberCalls {
 public:
  virtual ~ProberCalls() = default;
  // The answer, or the failure (a bare Sample, method kUnknown), reaches FlightBoard::OnAnswer later, exactly
  // once, and no later than the deadline plus the time it takes to notice.
  virtual void Measure(uint64_t flight, ReplicaId replica, const IpAddress& client,
                       std::chrono::milliseconds deadline) = 0;
};

class FlightBoard {
 public:
  // What becomes of a parked query: a decision, or nothing when it is dropped. Runs exactly once.
  using Done = absl::AnyInvocable<void(const Decision*)>;
  // May this client be probed now? Takes from the probe budget when it may.
  using Permit = std::function<absl::Status(const IpAddress& client, MonoTime now)>;

  // All references must outlive the board.
  FlightBoard(const FlightOptions& options, const FleetState& fleet, RttMap& map, ProberCalls& probers,
              const Clock& clock, Permit permit);
  // Drops the queries that still wait.
  ~FlightBoard();

  // A query of an unknown client: starts a flight or joins the one under way. `done` may run before Park
  // returns.
  void Park(const IpAddress& client, Done done);
  // A known client whose entry has aged: starts a flight that nobody waits for, unless one is under way.
  void Refresh(const IpAddress& client);
  // What a prober said; kUnknown when it failed. Unknown flights, second answers and impossible times are
  // nothing.
  void OnAnswer(uint64_t flight, ReplicaId replica, const Sample& sample);

  // When OnTime wants to be called next, if ever.
  std::optional<MonoTime> next_due() const;
  // Decides, answers and ends whatever is due by the clock.
  void OnTime();

  size_t flights() const { return flights_.size(); }

 private:
  struct Flight;

  Flight* Start(const IpAddress& client, const IpPrefix& prefix);
  void Consider(Flight& flight);
  std::optional<Rtt> DecisionTime(const Flight& flight) const;
  void Answer(Flight& flight, const Decision& decision);
  Decision Settled(const Flight& flight) const;
  Decision BestSoFar(const Flight& flight) const;
  Decision Fallback(const IpAddress& client) const;
  void Remember(const Flight& flight);
  void SetDue(Flight& flight, MonoTime due);
  void End(Flight& flight);

  const FlightOptions options_;
  const FleetState& fleet_;
  RttMap& map_;
  ProberCalls& probers_;
  const Clock& clock_;
  const Permit permit_;

  uint64_t next_id_ = 1;
  absl::flat_hash_map<uint64_t, std::unique_ptr<Flight>> flights_;
  absl::flat_hash_map<IpPrefix, uint64_t> by_prefix_;
  std::set<std::pair<MonoTime, uint64_t>> due_;
};

}  // namespace perigee::dns
