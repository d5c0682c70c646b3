#include "services/dns/measurement/flight.h"

#include <algorithm>
#include <utility>

#include "services/dns/steering/floors.h"

namespace perigee::dns {

Flight::Flight(Terms terms)
    : terms_(std::move(terms)),
      asked_after_(terms_.control_rtt.size()),
      said_(terms_.control_rtt.size()),
      said_after_(terms_.control_rtt.size()),
      samples_(terms_.control_rtt.size()) {}

void Flight::OnAsked(const ReplicaSet& replicas, MonoTime now) {
  asked_ = asked_.Or(replicas);
  outstanding_ = outstanding_.Or(replicas);
  const Rtt after = Elapsed(now);
  for (const ReplicaId id : replicas) {
    asked_after_[Index(id)] = after;
    if (terms_.control_rtt[Index(id)] > Rtt::zero()) terms_.control_rtt[Index(id)] += after;
  }
}

void Flight::Reserve(const ReplicaSet& later, const ReplicaSet& familiar) {
  later_ = later;
  familiar_ = familiar;
}

void Flight::OnAskedMore(const ReplicaSet& replicas, const ReplicaSet& later, MonoTime now) {
  later_ = later;
  asked_more_ = true;
  OnAsked(replicas, now);
}

void Flight::OnAnswer(ReplicaId replica, const Sample& sample, bool is_believed, Rtt least_control,
                      MonoTime now) {
  outstanding_.Remove(replica);
  const Rtt elapsed = Elapsed(now) - asked_after_[Index(replica)];
  said_after_[Index(replica)] = elapsed;
  // A round trip within the call can't take longer than the call, nor no time at all.
  if (sample.timed() && (sample.rtt <= Rtt::zero() || sample.rtt > elapsed)) return;
  said_[Index(replica)] = sample;
  if (is_believed) samples_[Index(replica)] = sample;
  // By the least that the call can have taken: what is thought too short makes the others look out of time.
  if (!sample.timed() || least_control == Rtt::zero()) return;
  Rtt& overhead = sample.is_floor() ? floor_overhead_ : overhead_;
  overhead = std::max(overhead, elapsed - least_control - sample.rtt);
}

Flight::Next Flight::NextStep(bool is_awaited, const ReplicaSet& usable, const ReplicaDistances& distances,
                              MonoTime now) const {
  const MonoTime hold_end = terms_.started + terms_.hold;
  const MonoTime end = terms_.started + terms_.measure_deadline + kReportGrace;
  const bool may_ask = !later_.empty();
  const auto settled_at = is_awaited || may_ask ? SettledAt(usable, distances) : std::nullopt;
  const bool is_settled = settled_at && *settled_at <= now;
  const bool is_held = now < hold_end;

  if (may_ask && is_settled && !asked_more_ && !IsPlaced(usable)) return {FlightStep::kAskMore};
  if (is_awaited && is_settled) return {FlightStep::kAnswer};
  if (is_awaited && !is_held) return {FlightStep::kAnswerBestSoFar};
  // What else there is to find out, nobody waits for.
  if (may_ask && (is_settled || (!is_held && measured() > 0))) return {FlightStep::kAskMore};
  if (outstanding_.empty()) return {FlightStep::kComplete};
  if (now >= end) return {FlightStep::kExpire};
  MonoTime until = end;
  if ((is_awaited || may_ask) && is_held) until = std::min(until, hold_end);
  if (settled_at && !is_settled) until = std::min(until, *settled_at);
  return {FlightStep::kWait, until};
}

bool Flight::IsPlaced(const ReplicaSet& usable) const {
  const auto best = NearestOf(usable);
  return best && familiar_.Contains(*best);
}

size_t Flight::measured() const {
  size_t count = 0;
  for (const ReplicaId id : asked_) count += samples_[Index(id)].measured();
  return count;
}

std::optional<ReplicaId> Flight::NearestOf(const ReplicaSet& among) const {
  return Nearest(samples_, among.And(asked_));
}

// When the answers so far settle the matter if no other comes.
std::optional<MonoTime> Flight::SettledAt(const ReplicaSet& usable, const ReplicaDistances& distances) const {
  if (outstanding_.empty()) return terms_.started;
  const auto measured = NearestOf(usable);
  const auto best = measured ? measured : NearestByFloors(usable, distances);
  if (!best) return std::nullopt;
  const FlightProgress progress{.best = *best,
                                .best_rtt = samples_[Index(*best)].rtt,
                                .overhead = measured ? overhead_ : floor_overhead_,
                                .outstanding = outstanding_.And(usable)};
  const auto after = DecidedAt(progress, terms_.control_rtt, distances);
  return after ? std::optional(terms_.started + *after) : std::nullopt;
}

// Of a client that nobody has measured so far.
std::optional<ReplicaId> Flight::NearestByFloors(const ReplicaSet& usable,
                                                 const ReplicaDistances& distances) const {
  Samples floors(samples_.size());
  const bool agree = AgreeingFloors(samples_, distances, floors);
  return agree ? LeastFloor(floors, usable) : std::nullopt;
}

}  // namespace perigee::dns
