// One measurement of one client under way: who was asked, what they said, and what follows. Pure: the flight
// board (flight_board.h) does what a flight is ready for, and tells it what came of it.
//
// A flight is settled as soon as nobody of whom an answer is awaited can be nearer (early_decision.h). Of a
// large fleet some are asked at first. What they say shows whom to ask next, and only when these have settled
// the matter too it is settled, unless the nearest is one that was near to the client before.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "lib/base/clock.h"
#include "services/dns/steering/choose.h"
#include "services/dns/steering/client_key.h"
#include "services/dns/steering/early_decision.h"
#include "services/dns/steering/replica.h"
#include "services/dns/telemetry/server_counters.h"

namespace perigee::dns {

// How long after the Measure deadline a flight still believes that the prober calls will report.
inline constexpr auto kReportGrace = std::chrono::milliseconds(500);

enum class FlightStep : uint8_t {
  kAskMore,          // some of those who were not asked at first
  kAnswer,           // those who wait, for it is settled
  kAnswerBestSoFar,  // those who wait, for the hold is over
  kComplete,         // it ends: all have answered
  kExpire,           // it ends: who has not answered will not
  kWait,
};

class Flight {
 public:
  struct Terms {
    uint64_t id = 0;
    ClientKey client;
    FlightCause cause{};
    MonoTime started;
    std::chrono::milliseconds hold{}, measure_deadline{};
    // The replica that the client has; nothing for a stranger.
    std::optional<ReplicaId> home;
    // By replica, as of the start, for the decision shall not wander.
    std::vector<Rtt> control_rtt;
  };
  explicit Flight(Terms terms);

  // Asking. Those of `later` may be asked when more is known; `familiar` are those asked at first who had a
  // sample of the client or of its surroundings.
  void OnAsked(const ReplicaSet& replicas, MonoTime now);
  void Reserve(const ReplicaSet& later, const ReplicaSet& familiar);
  void OnAskedMore(const ReplicaSet& replicas, const ReplicaSet& later, MonoTime now);

  // An answer of one who is awaited; what cannot be is no sample. `least_control` is the least control RTT of
  // that replica, zero while unknown.
  void OnAnswer(ReplicaId replica, const Sample& sample, bool is_believed, Rtt least_control, MonoTime now);

  struct Next {
    FlightStep step = FlightStep::kWait;
    MonoTime until{};  // when to look again, of kWait
  };
  // What it is ready for, by those among whom the client's replica is chosen. `is_awaited`: queries wait for
  // it.
  Next NextStep(bool is_awaited, const ReplicaSet& usable, const ReplicaDistances& distances,
                MonoTime now) const;

  // Whether the nearest so far was near before, to the client or to its neighbours: where it is is known
  // then.
  bool IsPlaced(const ReplicaSet& usable) const;
  // How many have measured the client.
  size_t measured() const;
  // The nearest of `among` by what was heard.
  std::optional<ReplicaId> NearestOf(const ReplicaSet& among) const;

  Rtt Elapsed(MonoTime now) const { return std::chrono::duration_cast<Rtt>(now - terms_.started); }
  uint64_t id() const { return terms_.id; }
  const ClientKey& client() const { return terms_.client; }
  const IpPrefix& prefix() const { return terms_.client.prefix; }
  FlightCause cause() const { return terms_.cause; }
  bool is_stranger() const { return !terms_.home; }
  const std::optional<ReplicaId>& home() const { return terms_.home; }
  const ReplicaSet& asked() const { return asked_; }
  const ReplicaSet& later() const { return later_; }
  ReplicaSet heard() const { return asked_.Without(outstanding_); }
  bool Awaits(ReplicaId replica) const { return outstanding_.Contains(replica); }
  bool is_complete() const { return outstanding_.empty(); }
  // By replica: of those who are believed, of all, and how long after they were asked.
  std::span<const Sample> samples() const { return samples_; }
  std::span<const Sample> said() const { return said_; }
  Rtt said_after(ReplicaId replica) const { return said_after_[Index(replica)]; }

 private:
  std::optional<MonoTime> SettledAt(const ReplicaSet& usable, const ReplicaDistances& distances) const;
  std::optional<ReplicaId> NearestByFloors(const ReplicaSet& usable, const ReplicaDistances& distances) const;

  Terms terms_;  // the control RTTs count from the start also for those asked later
  ReplicaSet asked_, outstanding_;
  ReplicaSet later_;         // empty when nobody will be
  bool asked_more_ = false;  // some of them were
  ReplicaSet familiar_;
  std::vector<Rtt> asked_after_;  // the start
  Samples said_;
  std::vector<Rtt> said_after_;
  Samples samples_;
  Rtt overhead_{}, floor_overhead_{};  // of those that measured, and of those whose answer is a floor
};

}  // namespace perigee::dns
