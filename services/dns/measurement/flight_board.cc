#include "services/dns/measurement/flight_board.h"

#include <algorithm>
#include <span>

#include "services/dns/steering/floors.h"
#include "services/dns/steering/refinement.h"

namespace perigee::dns {
namespace {

ReplicaSet KnownOf(const ReplicaSet& replicas, std::span<const Sample> samples) {
  ReplicaSet known;
  for (const ReplicaId id : replicas) {
    if (samples[Index(id)].method != Method::kUnknown) known.Add(id);
  }
  return known;
}

size_t Measured(std::span<const Sample> samples) {
  return static_cast<size_t>(
      std::count_if(samples.begin(), samples.end(), [](const Sample& s) { return s.measured(); }));
}

// How long after the Measure deadline the board still believes that the prober calls will report.
constexpr auto kReportGrace = std::chrono::milliseconds(500);

// Of all flights, so many at most are refinements: in a flood the first measurement of one client goes before
// the second of another.
constexpr size_t kRefinementShare = 8;

}  // namespace

struct FlightBoard::Flight {
  explicit Flight(size_t fleet_size)
      : asked_after(fleet_size),
        said(fleet_size),
        said_after(fleet_size),
        samples(fleet_size),
        control_rtt(fleet_size) {}

  // By those who are believed.
  std::span<const Sample> measured() const { return samples; }
  size_t replicas() const { return samples.size(); }

  uint64_t id = 0;
  ClientKey client;
  FlightCause cause{};
  bool is_stranger = false;  // nothing was known of it when the flight started
  MonoTime started, due;
  ReplicaSet asked, outstanding;
  ReplicaSet later;         // of whom some will be asked when more is known; empty when nobody will be
  bool asked_more = false;  // some were
  ReplicaSet familiar;  // of the first that were asked, those who had a sample of it or of its surroundings
  // By replica.
  std::vector<Rtt> asked_after;  // the start
  Samples said;                  // by all who answered
  std::vector<Rtt> said_after;   // they were asked
  Samples samples;               // see measured()
  // As of the start, for the decision shall not wander; counted from it also for those asked later.
  std::vector<Rtt> control_rtt;
  Rtt overhead{}, floor_overhead{};  // of those that measured, and of those that told a floor
  // The home that the client had, or has been given by this flight. Nothing for a stranger: it has only just
  // been given a replica, and a little is reason enough to move.
  std::optional<ReplicaId> previous;
  std::vector<Done> parked;
  bool answered = false;  // somebody waited, and was answered
  // What the client had when all this was not known yet: the first answer of a stranger, the home of others.
  std::optional<ReplicaId> given;
};

FlightBoard::FlightBoard(const FlightOptions& options, FleetState& fleet, RttMap& map, ProberCalls& probers,
                         const Clock& clock, Permit& permit, MeasurementCounters* counters,
                         MeasurementLog* log)
    : options_(options),
      fleet_(fleet),
      probers_(probers),
      clock_(clock),
      permit_(permit),
      distances_(fleet, clock),
      rows_(options_.rules, fleet, map, distances_, options_.locate, clock),
      counters_(counters == nullptr ? unread_ : *counters),
      credibility_(fleet, distances_, counters_),
      log_(log) {}

FlightBoard::~FlightBoard() {
  for (auto& [id, flight] : flights_) {
    counters_.unparked.Add(flight->parked.size());
    for (Done& done : flight->parked) Drop(done, ParkRefusal::kStopped);
    counters_.ended[FlightEnd::kStopped].Add();
  }
}

void FlightBoard::Drop(Done& done, ParkRefusal reason) {
  counters_.dropped[reason].Add();
  done(nullptr);
}

void FlightBoard::Park(const ClientKey& client, Done done) {
  const auto under_way = by_prefix_.find(client.prefix);
  Flight* flight = under_way == by_prefix_.end() ? nullptr : flights_[under_way->second].get();
  if (flight == nullptr || flight->cause == FlightCause::kRefinement) {
    if (const auto row = rows_.JustMeasured(client.prefix)) {
      const FlightOutcome outcome{rows_.Given(client.prefix, *row), rows_.SamplesOf(*row)};
      return done(&outcome);
    }
  }
  if (flight == nullptr) flight = Start(client, FlightCause::kQuery, fleet_.measurable());
  if (flight == nullptr) return AnswerUnmeasured(client, std::move(done));
  if (flight->parked.size() >= options_.max_parked_per_flight) return Drop(done, ParkRefusal::kFlightIsFull);
  flight->parked.push_back(std::move(done));
  counters_.parked.Add();
  Consider(*flight);
}

void FlightBoard::AnswerUnmeasured(const ClientKey& client, Done done) {
  const MapRow around = rows_.Around(client.prefix);
  const FlightOutcome outcome{rows_.GivenUnmeasured(client.prefix, {}, around), rows_.SamplesOf(around)};
  if (client.hearsay_of && outcome.decision.reason == Reason::kHashed) {
    return ParkForTeller(client, std::move(done));
  }
  done(&outcome);
}

// The resolver stands in for a client of its of which nothing is known.
void FlightBoard::ParkForTeller(const ClientKey& client, Done done) {
  const ClientKey teller = KeyOf(*client.hearsay_of, client.presence);
  if (const auto row = rows_.Known(teller.prefix)) {
    const FlightOutcome outcome{AsInferred(rows_.Given(teller.prefix, *row), Reason::kNeighbour),
                                rows_.SamplesOf(*row)};
    return done(&outcome);
  }
  Park(teller, [done = std::move(done)](const FlightOutcome* measured) mutable {
    if (measured == nullptr) return done(nullptr);
    const FlightOutcome outcome{AsInferred(measured->decision, Reason::kNeighbour), measured->samples};
    done(&outcome);
  });
}

void FlightBoard::Refresh(const ClientKey& client) {
  if (by_prefix_.contains(client.prefix)) return;
  if (Flight* flight = Start(client, FlightCause::kRefresh, fleet_.measurable())) Consider(*flight);
}

// Why no flight may start now, whoever the client is.
std::optional<ProbeRefusal> FlightBoard::RefuseFor(const ReplicaSet& askable) const {
  if (stopped_) return ProbeRefusal::kStopped;
  if (flights_.size() >= options_.max_flights) return ProbeRefusal::kFlightLimit;
  if (askable.empty()) return ProbeRefusal::kNoProber;
  return std::nullopt;
}

// Begins to ask when not all can be asked.
void FlightBoard::AskFirst(Flight& flight, const ReplicaSet& askable) {
  const IpPrefix& client = flight.client.prefix;
  const MapRow own = rows_.Own(client), around = rows_.Around(client);
  const Samples placed = rows_.ByPlace(client);
  const Acquaintance known{.own = rows_.SamplesOf(own),
                           .around = rows_.SamplesOf(around),
                           .by_place = placed,
                           .home = flight.previous};
  const ReplicaSet first =
      FirstToAsk(known, askable, fleet_.landmarks(), options_.max_asked / 2, distances_.shorter());
  flight.later = askable.Without(first);
  flight.familiar = KnownOf(first, known.own).Or(KnownOf(first, known.around));
  Ask(flight, first);
}

// Nothing when the client may not be probed, no prober can be asked or the board is full or stopped.
FlightBoard::Flight* FlightBoard::Start(const ClientKey& client, FlightCause cause,
                                        const ReplicaSet& askable) {
  if (const auto refusal = RefuseFor(askable)) {
    counters_.probes_refused[*refusal].Add();
    return nullptr;
  }
  if (!permit_.Ask(client, clock_.Now()).ok()) return nullptr;
  counters_.started[cause].Add();

  auto owned = std::make_unique<Flight>(fleet_.size());
  Flight& flight = *owned;
  flight.id = next_id_++;
  flight.client = client;
  flight.cause = cause;
  flight.started = clock_.Now();
  flight.previous = flight.given = rows_.HomeOf(client.prefix);
  flight.is_stranger = !flight.previous;
  for (size_t i = 0; i < fleet_.size(); ++i) flight.control_rtt[i] = fleet_.control_rtt(ToReplicaId(i));

  by_prefix_[client.prefix] = flight.id;
  flights_[flight.id] = std::move(owned);
  flight.due = flight.started + options_.hold;
  due_.insert({flight.due, flight.id});
  if (cause == FlightCause::kRefinement || CanAllBeAsked(askable)) {
    Ask(flight, askable);
  } else {
    AskFirst(flight, askable);
  }
  return &flight;
}

void FlightBoard::Ask(Flight& flight, const ReplicaSet& replicas) {
  flight.asked = flight.asked.Or(replicas);
  flight.outstanding = flight.outstanding.Or(replicas);
  const uint32_t probes = flight.cause == FlightCause::kRefinement ? options_.refinement_probes : 1;
  const auto deadline =
      options_.measure_deadline - std::chrono::ceil<std::chrono::milliseconds>(Elapsed(flight));
  for (const ReplicaId id : replicas)
    probers_.Measure(flight.id, id, flight.client.address, probes, deadline);
}

// Asks some of those who were not asked at first; false when there is nobody (more) to ask.
bool FlightBoard::AskMore(Flight& flight) {
  if (flight.later.empty()) return false;
  const size_t left = options_.max_asked - static_cast<size_t>(flight.asked.size());
  const ReplicaSet next =
      NextToAsk(flight.measured(), flight.later, std::min(kAskedAtOnce, left), distances_.shorter());
  const bool last = next.empty() || left <= kAskedAtOnce;
  flight.later = last ? ReplicaSet() : flight.later.Without(next);
  const Rtt after = Elapsed(flight);
  for (const ReplicaId id : next) {
    flight.asked_after[Index(id)] = after;
    if (flight.control_rtt[Index(id)] > Rtt::zero()) flight.control_rtt[Index(id)] += after;
  }
  flight.asked_more = true;
  Ask(flight, next);
  return !next.empty();
}

void FlightBoard::OnAnswer(uint64_t id, ReplicaId replica, const Sample& sample) {
  const auto found = flights_.find(id);
  if (found == flights_.end() || !found->second->outstanding.Contains(replica)) return;
  Flight& flight = *found->second;
  flight.outstanding.Remove(replica);
  const Rtt elapsed = Elapsed(flight) - flight.asked_after[Index(replica)];
  // A round trip within the call can't take longer than the call, nor no time at all.
  const bool possible = !sample.timed() || (sample.rtt > Rtt::zero() && sample.rtt <= elapsed);
  flight.said_after[Index(replica)] = elapsed;
  if (possible) flight.said[Index(replica)] = sample;
  if (possible && !fleet_.distrusted().Contains(replica)) flight.samples[Index(replica)] = sample;
  // By the least that the call can have taken: what is thought too short makes the others look out of time.
  if (const Rtt control = fleet_.least_control_rtt(replica);
      possible && sample.timed() && control > Rtt::zero()) {
    Rtt& overhead = sample.is_floor() ? flight.floor_overhead : flight.overhead;
    overhead = std::max(overhead, elapsed - control - sample.rtt);
  }
  if (!IsPlaced(flight) && Measured(flight.measured()) >= kEnoughToPlace) AskMore(flight);
  Consider(flight);
}

std::optional<MonoTime> FlightBoard::next_due() const {
  return due_.empty() ? std::nullopt : std::optional(due_.begin()->first);
}

void FlightBoard::OnTime() {
  while (!due_.empty() && due_.begin()->first <= clock_.Now()) Consider(*flights_[due_.begin()->second]);
}

// Asks more or answers those who wait if it is time to, ends the flight if nothing more will
// come, else sets when to look again.
void FlightBoard::Consider(Flight& flight) {
  const MonoTime now = clock_.Now();
  const MonoTime hold_end = flight.started + options_.hold;
  const MonoTime end = flight.started + options_.measure_deadline + kReportGrace;
  const bool waited_for = !flight.parked.empty() || !flight.later.empty();
  const std::optional<Rtt> settles = waited_for ? DecisionTime(flight) : std::nullopt;
  const bool settled = settles && flight.started + *settles <= now;
  if (settled && !flight.asked_more && !IsPlaced(flight) && AskMore(flight)) return Consider(flight);
  if (!flight.parked.empty()) {
    if (settled) {
      const MapRow row = Remember(flight);
      const bool all = flight.outstanding.empty();
      const FlightOutcome outcome{rows_.Given(flight.client.prefix, row), rows_.SamplesOf(row)};
      Answer(flight, outcome, all ? FlightAnswer::kComplete : FlightAnswer::kEarly);
    } else if (now >= hold_end) {
      AnswerBestSoFar(flight, FlightAnswer::kHoldExpired);
    }
  }
  // What else there is to find out, nobody waits for.
  if ((settled || (now >= hold_end && Measured(flight.measured()) > 0)) && AskMore(flight)) {
    return Consider(flight);
  }
  if (flight.outstanding.empty()) return End(flight, FlightEnd::kComplete);
  if (now >= end) return End(flight, FlightEnd::kExpired);
  MonoTime due = end;
  if (waited_for && now < hold_end) due = std::min(due, hold_end);
  if (waited_for && settles && !settled) due = std::min(due, flight.started + *settles);
  SetDue(flight, due);
}

// Whether the nearest so far was near before, to the client or to its neighbours: where it is is known then.
bool FlightBoard::IsPlaced(const Flight& flight) const {
  const auto best = Nearest(flight.measured(), UsableNow());
  return best && flight.familiar.Contains(*best);
}

Rtt FlightBoard::Elapsed(const Flight& flight) const {
  return std::chrono::duration_cast<Rtt>(clock_.Now() - flight.started);
}

// When, counted from the start, the answers so far settle the matter if no other comes.
std::optional<Rtt> FlightBoard::DecisionTime(const Flight& flight) {
  if (flight.outstanding.empty()) return Rtt::zero();
  const ReplicaSet usable = UsableNow();
  const auto measured = Nearest(flight.measured(), usable);
  const auto best = measured ? measured : NearestByFloors(flight, usable);
  if (!best) return std::nullopt;
  const ReplicaSet awaited = flight.outstanding.And(usable);
  const Rtt overhead = measured ? flight.overhead : flight.floor_overhead;
  const FlightProgress progress{*best, flight.samples[Index(*best)].rtt, overhead, awaited};
  return DecidedAt(progress, flight.control_rtt, distances_.shorter());
}

// Of a client that nobody has measured so far.
std::optional<ReplicaId> FlightBoard::NearestByFloors(const Flight& flight, const ReplicaSet& usable) {
  Samples floors(flight.replicas());
  const bool agree = AgreeingFloors(flight.measured(), distances_.shorter(), floors);
  return agree ? LeastFloor(floors, usable) : std::nullopt;
}

void FlightBoard::AnswerBestSoFar(Flight& flight, FlightAnswer when) {
  const IpPrefix& client = flight.client.prefix;
  if (!Nearest(flight.measured(), UsableNow())) {
    const MapRow around = rows_.Around(client);
    const Decision decision = rows_.GivenUnmeasured(client, flight.measured(), around);
    const bool by_floors = decision.reason == Reason::kLeastFloor;
    return Answer(flight, {decision, by_floors ? flight.measured() : rows_.SamplesOf(around)}, when);
  }
  ChoiceInputs inputs = rows_.InputsFor(client, flight.measured());
  if (!inputs.healthy.empty()) inputs.previous = flight.previous;
  Decision decision = Choose(inputs, options_.rules);
  if (decision.reason != Reason::kAllDown) decision.reason = Reason::kHoldExpired;
  Answer(flight, {decision, flight.measured()}, when);
}

void FlightBoard::OnPassive(ReplicaId replica, std::span<const PassiveRtt> rtts) {
  for (const auto& [prefix, rtt] : rtts) {
    permit_.OnConnection(prefix);
    CountElsewhere(prefix, replica, rtt);
    counters_.passive[rows_.LearnPassive(prefix, replica, rtt)].Add();
  }
}

void FlightBoard::OnBeacons(std::span<const SeenBeacon> beacons) {
  for (const auto& [address, token] : beacons) {
    const auto resolver = tokens_.Take(token, clock_.Now());
    counters_.beacons[resolver ? BeaconUse::kJoined : BeaconUse::kUnasked].Add();
    if (!resolver) continue;
    const ClientKey client = KeyOf(address, Presence::kProven);
    permit_.OnConnection(client.prefix);
    if (rows_.LearnResolver(client.prefix, *resolver)) Refresh(client);
  }
}

// What the client's replica costs it, by a connection with another.
void FlightBoard::CountElsewhere(const IpPrefix& client, ReplicaId replica, Rtt rtt) {
  const auto home = rows_.Remembered(client);
  if (!home || home->decision.replica == replica) return;
  if (home->sample.measured()) {
    counters_.lost[static_cast<size_t>(Judged::kElsewhere)].Count(
        std::max(Rtt::zero(), home->sample.rtt - rtt));
  } else {
    counters_.lost_unknown[Judged::kElsewhere].Add();
  }
}

// Those who wait, to be answered now.
std::vector<FlightBoard::Done> FlightBoard::TakeParked(Flight& flight, FlightAnswer when) {
  std::vector<Done> parked;
  parked.swap(flight.parked);
  counters_.unparked.Add(parked.size());
  if (!parked.empty() && !std::exchange(flight.answered, true)) counters_.answered[when].Add();
  return parked;
}

void FlightBoard::Answer(Flight& flight, const FlightOutcome& outcome, FlightAnswer when) {
  if (!flight.given) flight.given = outcome.decision.replica;
  std::vector<Done> parked = TakeParked(flight, when);
  for (Done& done : parked) done(&outcome);
}

// A stranger has only just been given a replica: a little is reason enough to move, but not from one member
// of a band to another.
bool FlightBoard::MovesByALittle(bool is_stranger) const { return is_stranger && !options_.rules.band; }

// Puts what it knows into the map.
MapRow FlightBoard::Remember(Flight& flight) {
  MapRow row = rows_.Learn(flight.client.prefix, flight.cause, flight.measured(), flight.previous);
  const bool measured = Nearest(flight.measured(), ReplicaSet::All(flight.replicas())).has_value();
  if (measured && !MovesByALittle(flight.is_stranger)) flight.previous = row.decision.replica;
  return row;
}

void FlightBoard::Stop() {
  stopped_ = true;
  for (auto& [id, flight] : flights_) {
    AnswerBestSoFar(*flight, FlightAnswer::kStopped);
    counters_.ended[FlightEnd::kStopped].Add();
  }
  flights_.clear();
  refinements_ = 0;
  by_prefix_.clear();
  due_.clear();
}

void FlightBoard::SetDue(Flight& flight, MonoTime due) {
  if (flight.due == due) return;
  due_.erase({flight.due, flight.id});
  flight.due = due;
  due_.insert({due, flight.id});
}

void FlightBoard::End(Flight& flight, FlightEnd end) {
  counters_.ended[end].Add();
  if (log_ != nullptr) WriteDown(flight);
  if (flight.cause != FlightCause::kRefinement) {
    credibility_.Weigh(flight.said);
    CountLost(flight);
  }
  const MapRow row = Remember(flight);
  rows_.TeachSurroundings(flight.client.prefix, flight.measured());
  const ClientKey client = flight.client;
  const FlightCause cause = flight.cause;
  const bool was_stranger = flight.is_stranger;
  due_.erase({flight.due, flight.id});
  by_prefix_.erase(client.prefix);
  flights_.erase(flight.id);
  if (cause == FlightCause::kRefinement) {
    --refinements_;
  } else {
    Refine(client, row, was_stranger);
  }
}

void FlightBoard::WriteDown(const Flight& flight) {
  MeasurementRecord record{.time = clock_.WallNow(), .client = flight.client.prefix, .cause = flight.cause};
  const ReplicaSet heard = flight.asked.Without(flight.outstanding);
  for (size_t i = 0; i < fleet_.size(); ++i) {
    if (!heard.Contains(ToReplicaId(i))) continue;
    record.answers.push_back({fleet_.info(ToReplicaId(i)).name, flight.said[i], flight.said_after[i]});
  }
  log_->Write(std::move(record));
}

// What the client's replica has cost it, by what is known now. How far a resolver is says nothing where it
// has that of its clients.
void FlightBoard::CountLost(const Flight& flight) {
  const auto home = rows_.Remembered(flight.client.prefix);
  if (!flight.given || (home && home->decision.reason == Reason::kClientele)) return;
  const auto best = Nearest(flight.measured(), UsableNow());
  const Sample& had = flight.samples[Index(*flight.given)];
  const Judged judged = flight.is_stranger ? Judged::kFirst : Judged::kRemembered;
  if (best && had.measured()) {
    counters_.lost[static_cast<size_t>(judged)].Count(had.rtt - flight.samples[Index(*best)].rtt);
  } else {
    counters_.lost_unknown[judged].Add();
  }
}

void FlightBoard::Refine(const ClientKey& client, const MapRow& row, bool was_stranger) {
  if (options_.refinement_probes <= 1 || refinements_ * kRefinementShare >= options_.max_flights) return;
  ReplicaSet believed = fleet_.measurable().Without(fleet_.distrusted());
  const std::span<const Sample> known = rows_.SamplesOf(row);
  if (!CanAllBeAsked(believed)) {
    const ReplicaSet likely = NextToAsk(known, believed, kAskedAtOnce, distances_.shorter());
    believed = KnownOf(believed, known).Or(likely);
  }
  const ReplicaSet askable = Contenders(known, believed, distances_.shorter());
  if (askable.empty()) return;
  Flight* flight = Start(client, FlightCause::kRefinement, askable);
  if (flight == nullptr) return;
  ++refinements_;
  if (MovesByALittle(was_stranger)) flight->previous.reset();
  Consider(*flight);
}

}  // namespace perigee::dns
