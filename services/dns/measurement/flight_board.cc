#include "services/dns/measurement/flight_board.h"

#include <algorithm>
#include <span>
#include <utility>

#include "services/dns/steering/selector.h"

namespace perigee::dns {
namespace {

// Of all flights, so many at most are refinements: in a flood the first measurement of one client goes before
// the second of another.
constexpr size_t kRefinementShare = 8;

}  // namespace

struct FlightBoard::Boarded {
  explicit Boarded(Flight::Terms terms) : flight(std::move(terms)) {}

  Flight flight;
  MonoTime due{};
  std::vector<Done> parked;
  bool answered = false;  // somebody waited, and was answered
  // The home that the client had, or has been given by this flight. Nothing for a stranger: it has only just
  // been given a replica, and a little is reason enough to move.
  std::optional<ReplicaId> previous;
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
      fan_out_(options_.max_asked, fleet, rows_, distances_),
      counters_(counters == nullptr ? unread_ : *counters),
      credibility_(fleet, distances_, counters_),
      log_(log) {}

FlightBoard::~FlightBoard() {
  for (auto& [id, boarded] : flights_) {
    counters_.unparked.Add(boarded->parked.size());
    for (Done& done : boarded->parked) Drop(done, ParkRefusal::kStopped);
    counters_.ended[FlightEnd::kStopped].Add();
  }
}

void FlightBoard::Drop(Done& done, ParkRefusal reason) {
  counters_.dropped[reason].Add();
  done(nullptr);
}

void FlightBoard::Park(const ClientKey& client, Done done) {
  const auto under_way = by_prefix_.find(client.prefix);
  Boarded* boarded = under_way == by_prefix_.end() ? nullptr : flights_[under_way->second].get();
  if (boarded == nullptr || boarded->flight.cause() == FlightCause::kRefinement) {
    if (const auto row = rows_.JustMeasured(client.prefix)) {
      const FlightOutcome outcome{rows_.Given(client.prefix, *row), rows_.SamplesOf(*row)};
      return done(&outcome);
    }
  }
  if (boarded == nullptr) boarded = Start(client, FlightCause::kQuery, fleet_.measurable());
  if (boarded == nullptr) return AnswerUnmeasured(client, std::move(done));
  if (boarded->parked.size() >= options_.max_parked_per_flight) return Drop(done, ParkRefusal::kFlightIsFull);
  boarded->parked.push_back(std::move(done));
  counters_.parked.Add();
  Consider(*boarded);
}

void FlightBoard::AnswerUnmeasured(const ClientKey& client, Done done) {
  const MapRow around = rows_.Around(client.prefix);
  const FlightOutcome outcome{rows_.GivenUnmeasured(client.prefix, {}, around), rows_.SamplesOf(around)};
  if (client.hearsay_of && outcome.decision.reason == Reason::kHashed) {
    return ParkForResolver(client, std::move(done));
  }
  done(&outcome);
}

// The resolver stands in for a client of its of which nothing is known.
void FlightBoard::ParkForResolver(const ClientKey& client, Done done) {
  const ClientKey resolver = KeyOf(*client.hearsay_of, client.presence);
  if (const auto row = rows_.Known(resolver.prefix)) {
    const FlightOutcome outcome{AsInferred(rows_.Given(resolver.prefix, *row), Reason::kNeighbour),
                                rows_.SamplesOf(*row)};
    return done(&outcome);
  }
  Park(resolver, [done = std::move(done)](const FlightOutcome* measured) mutable {
    if (measured == nullptr) return done(nullptr);
    const FlightOutcome outcome{AsInferred(measured->decision, Reason::kNeighbour), measured->samples};
    done(&outcome);
  });
}

void FlightBoard::Refresh(const ClientKey& client) {
  if (by_prefix_.contains(client.prefix)) return;
  if (Boarded* boarded = Start(client, FlightCause::kRefresh, fleet_.measurable())) Consider(*boarded);
}

// Why no flight may start now, whoever the client is.
std::optional<ProbeRefusal> FlightBoard::RefuseFor(const ReplicaSet& askable) const {
  if (stopped_) return ProbeRefusal::kStopped;
  if (flights_.size() >= options_.max_flights) return ProbeRefusal::kFlightLimit;
  if (askable.empty()) return ProbeRefusal::kNoProber;
  return std::nullopt;
}

// Nothing when the client may not be probed, no prober can be asked or the board is full or stopped.
FlightBoard::Boarded* FlightBoard::Start(const ClientKey& client, FlightCause cause,
                                         const ReplicaSet& askable) {
  if (const auto refusal = RefuseFor(askable)) {
    counters_.probes_refused[*refusal].Add();
    return nullptr;
  }
  const MonoTime now = clock_.Now();
  if (!permit_.Ask(client, now).ok()) return nullptr;
  counters_.started[cause].Add();

  Flight::Terms terms{.id = next_id_++,
                      .client = client,
                      .cause = cause,
                      .started = now,
                      .hold = options_.hold,
                      .measure_deadline = options_.measure_deadline,
                      .home = rows_.HomeOf(client.prefix)};
  for (size_t i = 0; i < fleet_.size(); ++i) {
    terms.control_rtt.push_back(fleet_.control_rtt(ToReplicaId(i)));
  }
  auto owned = std::make_unique<Boarded>(std::move(terms));
  Boarded& boarded = *owned;
  Flight& flight = boarded.flight;
  boarded.previous = boarded.given = flight.home();
  by_prefix_[client.prefix] = flight.id();
  flights_[flight.id()] = std::move(owned);
  SetDue(boarded, now + options_.hold);
  const ReplicaSet first = fan_out_.First(flight, askable);
  flight.OnAsked(first, now);
  Ask(flight, first);
  return &boarded;
}

void FlightBoard::Ask(const Flight& flight, const ReplicaSet& replicas) {
  const uint32_t probes = flight.cause() == FlightCause::kRefinement ? options_.refinement_probes : 1;
  const auto deadline =
      options_.measure_deadline - std::chrono::ceil<std::chrono::milliseconds>(flight.Elapsed(clock_.Now()));
  for (const ReplicaId id : replicas) {
    probers_.Measure(flight.id(), id, flight.client().address, probes, deadline);
  }
}

void FlightBoard::AskMore(Flight& flight) {
  if (flight.later().empty()) return;
  const auto [next, later] = fan_out_.After(flight);
  flight.OnAskedMore(next, later, clock_.Now());
  Ask(flight, next);
}

void FlightBoard::OnAnswer(uint64_t id, ReplicaId replica, const Sample& sample) {
  const auto found = flights_.find(id);
  if (found == flights_.end() || !found->second->flight.Awaits(replica)) return;
  Flight& flight = found->second->flight;
  const bool is_believed = !fleet_.distrusted().Contains(replica);
  flight.OnAnswer(replica, sample, is_believed, fleet_.least_control_rtt(replica), clock_.Now());
  if (!flight.IsPlaced(UsableNow()) && flight.measured() >= kEnoughToPlace) AskMore(flight);
  Consider(*found->second);
}

std::optional<MonoTime> FlightBoard::next_due() const {
  return due_.empty() ? std::nullopt : std::optional(due_.begin()->first);
}

void FlightBoard::OnTime() {
  while (!due_.empty() && due_.begin()->first <= clock_.Now()) Consider(*flights_[due_.begin()->second]);
}

// Does all that the flight is ready for.
void FlightBoard::Consider(Boarded& boarded) {
  const MonoTime now = clock_.Now();
  while (true) {
    const auto [step, until] =
        boarded.flight.NextStep(!boarded.parked.empty(), UsableNow(), distances_.shorter(), now);
    switch (step) {
      case FlightStep::kAskMore:
        AskMore(boarded.flight);
        break;
      case FlightStep::kAnswer:
        AnswerSettled(boarded);
        break;
      case FlightStep::kAnswerBestSoFar:
        AnswerBestSoFar(boarded, FlightAnswer::kHoldExpired);
        break;
      case FlightStep::kComplete:
        return End(boarded, FlightEnd::kComplete);
      case FlightStep::kExpire:
        return End(boarded, FlightEnd::kExpired);
      case FlightStep::kWait:
        return SetDue(boarded, until);
    }
  }
}

void FlightBoard::AnswerSettled(Boarded& boarded) {
  const MapRow row = Remember(boarded);
  const FlightOutcome outcome{rows_.Given(boarded.flight.prefix(), row), rows_.SamplesOf(row)};
  Answer(boarded, outcome, boarded.flight.is_complete() ? FlightAnswer::kComplete : FlightAnswer::kEarly);
}

void FlightBoard::AnswerBestSoFar(Boarded& boarded, FlightAnswer when) {
  const Flight& flight = boarded.flight;
  if (!flight.NearestOf(UsableNow())) {
    const MapRow around = rows_.Around(flight.prefix());
    const Decision decision = rows_.GivenUnmeasured(flight.prefix(), flight.samples(), around);
    const bool by_floors = decision.reason == Reason::kLeastFloor;
    return Answer(boarded, {decision, by_floors ? flight.samples() : rows_.SamplesOf(around)}, when);
  }
  ChoiceInputs inputs = rows_.InputsFor(flight.prefix(), flight.samples());
  if (!inputs.healthy.empty()) inputs.previous = boarded.previous;
  Decision decision = Choose(inputs, options_.rules);
  if (decision.reason != Reason::kAllDown) decision.reason = Reason::kHoldExpired;
  Answer(boarded, {decision, flight.samples()}, when);
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
std::vector<FlightBoard::Done> FlightBoard::TakeParked(Boarded& boarded, FlightAnswer when) {
  std::vector<Done> parked;
  parked.swap(boarded.parked);
  counters_.unparked.Add(parked.size());
  if (!parked.empty() && !std::exchange(boarded.answered, true)) counters_.answered[when].Add();
  return parked;
}

void FlightBoard::Answer(Boarded& boarded, const FlightOutcome& outcome, FlightAnswer when) {
  if (!boarded.given) boarded.given = outcome.decision.replica;
  std::vector<Done> parked = TakeParked(boarded, when);
  for (Done& done : parked) done(&outcome);
}

// A stranger has only just been given a replica: a little is reason enough to move, but not from one member
// of a band to another.
bool FlightBoard::MovesByALittle(bool is_stranger) const { return is_stranger && !options_.rules.band; }

// Puts what it knows into the map.
MapRow FlightBoard::Remember(Boarded& boarded) {
  const Flight& flight = boarded.flight;
  MapRow row = rows_.Learn(flight.prefix(), flight.cause(), flight.samples(), boarded.previous);
  if (flight.measured() > 0 && !MovesByALittle(flight.is_stranger())) {
    boarded.previous = row.decision.replica;
  }
  return row;
}

void FlightBoard::Stop() {
  stopped_ = true;
  for (auto& [id, boarded] : flights_) {
    AnswerBestSoFar(*boarded, FlightAnswer::kStopped);
    counters_.ended[FlightEnd::kStopped].Add();
  }
  flights_.clear();
  refinements_ = 0;
  by_prefix_.clear();
  due_.clear();
}

void FlightBoard::SetDue(Boarded& boarded, MonoTime due) {
  if (boarded.due == due) return;
  due_.erase({boarded.due, boarded.flight.id()});
  boarded.due = due;
  due_.insert({due, boarded.flight.id()});
}

void FlightBoard::End(Boarded& boarded, FlightEnd end) {
  const Flight& flight = boarded.flight;
  counters_.ended[end].Add();
  if (log_ != nullptr) WriteDown(flight);
  if (flight.cause() != FlightCause::kRefinement) {
    credibility_.Weigh(flight.said());
    CountLost(boarded);
  }
  const MapRow row = Remember(boarded);
  rows_.TeachSurroundings(flight.prefix(), flight.samples());
  const ClientKey client = flight.client();
  const FlightCause cause = flight.cause();
  const bool was_stranger = flight.is_stranger();
  due_.erase({boarded.due, flight.id()});
  by_prefix_.erase(client.prefix);
  flights_.erase(flight.id());
  if (cause == FlightCause::kRefinement) {
    --refinements_;
  } else {
    Refine(client, row, was_stranger);
  }
}

void FlightBoard::WriteDown(const Flight& flight) {
  MeasurementRecord record{
      .time = clock_.WallNow(), .client = flight.prefix(), .cause = flight.cause(), .answers = {}};
  for (const ReplicaId id : flight.heard()) {
    record.answers.push_back({fleet_.info(id).name, flight.said()[Index(id)], flight.said_after(id)});
  }
  log_->Write(std::move(record));
}

// What the client's replica has cost it, by what is known now. How far a resolver is says nothing where it
// has that of its clients.
void FlightBoard::CountLost(const Boarded& boarded) {
  const Flight& flight = boarded.flight;
  const auto home = rows_.Remembered(flight.prefix());
  if (!boarded.given || (home && home->decision.reason == Reason::kClientele)) return;
  const auto best = flight.NearestOf(UsableNow());
  const Sample& had = flight.samples()[Index(*boarded.given)];
  const Judged judged = flight.is_stranger() ? Judged::kFirst : Judged::kRemembered;
  if (best && had.measured()) {
    counters_.lost[static_cast<size_t>(judged)].Count(had.rtt - flight.samples()[Index(*best)].rtt);
  } else {
    counters_.lost_unknown[judged].Add();
  }
}

void FlightBoard::Refine(const ClientKey& client, const MapRow& row, bool was_stranger) {
  if (options_.refinement_probes <= 1 || refinements_ * kRefinementShare >= options_.max_flights) return;
  const ReplicaSet askable = fan_out_.ForRefinement(row);
  if (askable.empty()) return;
  Boarded* boarded = Start(client, FlightCause::kRefinement, askable);
  if (boarded == nullptr) return;
  ++refinements_;
  if (MovesByALittle(was_stranger)) boarded->previous.reset();
  Consider(*boarded);
}

}  // namespace perigee::dns
