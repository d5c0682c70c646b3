// The measurements under way: a pure state machine, fed with queries, answers and time.
//
// A flight (flight.h) is one fan-out of Measure for one client prefix. It decides as soon as no outstanding
// replica can be nearer, or when the hold has run out, with the best that there is by then. All queries of
// the prefix wait for the same flight and are answered together; those that come later are answered at once.
// The flight itself goes on until every replica has answered or the Measure deadline has passed, and what it
// learned is put into the map. Whom it asks says fan_out.h.
//
// A flight asks for one probe of each replica, for that is fastest. When it has ended, a second one follows
// that nobody waits for: those who may be the nearest (refinement.h) probe several times, and the least of
// all counts.
//
// Threads: one. The owner calls everything from its loop; see measurement_loop.h.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/functional/any_invocable.h"
#include "lib/base/address.h"
#include "lib/base/clock.h"
#include "services/dns/fleet/fleet_state.h"
#include "services/dns/map/rtt_map.h"
#include "services/dns/measurement/beacon_tokens.h"
#include "services/dns/measurement/client_rows.h"
#include "services/dns/measurement/credibility.h"
#include "services/dns/measurement/distance_view.h"
#include "services/dns/measurement/fan_out.h"
#include "services/dns/measurement/flight.h"
#include "services/dns/measurement/permit.h"
#include "services/dns/steering/choose.h"
#include "services/dns/steering/client_key.h"
#include "services/dns/steering/clientele.h"
#include "services/dns/steering/inference.h"
#include "services/dns/steering/selector.h"
#include "services/dns/telemetry/measurement_log.h"
#include "services/dns/telemetry/server_counters.h"

namespace perigee::dns {

struct FlightOptions {
  std::chrono::milliseconds hold{500};
  std::chrono::milliseconds measure_deadline{3000};
  // Beyond it an unknown client is answered with the fallback at once.
  size_t max_flights = 1024;
  // Beyond it a query is dropped: its resolver will ask again.
  size_t max_parked_per_flight = 64;
  // Probes of each replica in a flight's refinement; 1: none is made.
  uint32_t refinement_probes = 1;
  // How many replicas a flight asks at the most; chosen by selector.h when there are more. At least 4.
  size_t max_asked = kDefaultAsked;
  ChoiceRules rules;
  // Where clients are, by a database; null: nobody knows.
  Locate locate;
};

// What a parked query is answered with.
struct FlightOutcome {
  Decision decision;
  // By which it was made, one per replica; they live for the call only.
  std::span<const Sample> samples;
};

// Sends Measure to one replica's prober.
class ProberCalls {
 public:
  virtual ~ProberCalls() = default;
  // The answer, or the failure (a bare Sample, method kUnknown), reaches FlightBoard::OnAnswer later, exactly
  // once, and no later than the deadline plus the time it takes to notice.
  virtual void Measure(uint64_t flight, ReplicaId replica, const IpAddress& client, uint32_t probes,
                       std::chrono::milliseconds deadline) = 0;
};

class FlightBoard {
 public:
  // What becomes of a parked query: an outcome, or nothing when it is dropped. Runs exactly once.
  using Done = absl::AnyInvocable<void(const FlightOutcome*)>;

  // All references must outlive the board, and `counters` and `log` too when they are given.
  FlightBoard(const FlightOptions& options, FleetState& fleet, RttMap& map, ProberCalls& probers,
              const Clock& clock, Permit& permit, MeasurementCounters* counters = nullptr,
              MeasurementLog* log = nullptr);
  // Drops the queries that still wait.
  ~FlightBoard();

  // A query of an unknown client: starts a flight or joins the one under way. `done` may run before Park
  // returns.
  void Park(const ClientKey& client, Done done);
  // A known client whose entry has aged: starts a flight that nobody waits for, unless one is under way.
  void Refresh(const ClientKey& client);
  // What a prober said; kUnknown when it failed. Unknown flights, second answers and impossible times are
  // nothing.
  void OnAnswer(uint64_t flight, ReplicaId replica, const Sample& sample);

  // What replicas' connections say of clients that are known; of others it is nothing, for a resolver that
  // asks for others is not where they are. It can move a client that answers no probes.
  void OnPassive(ReplicaId replica, std::span<const PassiveRtt> rtts);

  // A resolver asked for a beacon. Nothing is measured for that.
  void OnBeaconQuery(const BeaconToken& token, const IpPrefix& resolver) {
    tokens_.Note(token, resolver, clock_.Now());
  }
  // Clients came for beacons: each belongs to the resolver that asked. They are there, so that those of whom
  // nothing is known, or not lately, are measured.
  void OnBeacons(std::span<const SeenBeacon> beacons);

  // When OnTime wants to be called next, if ever.
  std::optional<MonoTime> next_due() const;
  // Decides, answers and ends whatever is due by the clock.
  void OnTime();

  // Answers those who wait with the best so far and forgets all flights. From here on nothing is measured,
  // and everybody gets the fallback at once.
  void Stop();

  size_t flights() const { return flights_.size(); }

 private:
  // A flight, and those who wait for it.
  struct Boarded;

  void AnswerUnmeasured(const ClientKey& client, Done done);
  void ParkForResolver(const ClientKey& client, Done done);
  Boarded* Start(const ClientKey& client, FlightCause cause, const ReplicaSet& askable);
  std::optional<ProbeRefusal> RefuseFor(const ReplicaSet& askable) const;
  void Ask(const Flight& flight, const ReplicaSet& replicas);
  void AskMore(Flight& flight);
  void Consider(Boarded& boarded);
  void SetDue(Boarded& boarded, MonoTime due);
  void Drop(Done& done, ParkRefusal reason);
  std::vector<Done> TakeParked(Boarded& boarded, FlightAnswer when);
  void Answer(Boarded& boarded, const FlightOutcome& outcome, FlightAnswer when);
  void AnswerSettled(Boarded& boarded);
  void AnswerBestSoFar(Boarded& boarded, FlightAnswer when);
  ReplicaSet UsableNow() const { return Usable(fleet_.size(), fleet_.healthy(), fleet_.avoided()); }
  bool MovesByALittle(bool is_stranger) const;
  MapRow Remember(Boarded& boarded);
  void End(Boarded& boarded, FlightEnd end);
  void CountLost(const Boarded& boarded);
  void CountElsewhere(const IpPrefix& client, ReplicaId replica, Rtt rtt);
  void WriteDown(const Flight& flight);
  void Refine(const ClientKey& client, const MapRow& row, bool was_stranger);

  const FlightOptions options_;
  FleetState& fleet_;
  ProberCalls& probers_;
  const Clock& clock_;
  Permit& permit_;
  DistanceView distances_;
  ClientRows rows_;
  FanOut fan_out_;
  MeasurementCounters unread_;
  MeasurementCounters& counters_;
  Credibility credibility_;
  BeaconTokens tokens_;
  MeasurementLog* const log_;  // null: nobody writes it down

  bool stopped_ = false;
  uint64_t next_id_ = 1;
  size_t refinements_ = 0;  // of flights_
  absl::flat_hash_map<uint64_t, std::unique_ptr<Boarded>> flights_;
  absl::flat_hash_map<IpPrefix, uint64_t> by_prefix_;
  std::set<std::pair<MonoTime, uint64_t>> due_;
};

}  // namespace perigee::dns
