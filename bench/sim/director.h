// The director's own core on a fake clock: board, map and choice. Who simulates gives it probers and queries.
#pragma once

#include <map>
#include <optional>

#include "lib/base/clock.h"
#include "services/dns/director/known_clients.h"
#include "services/dns/fleet/fleet_state.h"
#include "services/dns/map/rtt_map.h"
#include "services/dns/measurement/flight_board.h"
#include "services/dns/measurement/testing_permit.h"

namespace perigee::sim {

// Probers whose answers are under way until their time has come.
class Probers : public dns::ProberCalls {
 public:
  struct Arrival {
    uint64_t flight = 0;
    dns::ReplicaId replica{};
    dns::Sample sample;
  };

  // When the next answer reaches the director; MonoTime::max() when none is under way.
  MonoTime next() const { return arrivals_.empty() ? MonoTime::max() : arrivals_.begin()->first; }
  Arrival Take() { return arrivals_.extract(arrivals_.begin()).mapped(); }

 protected:
  void Arrive(MonoTime when, const Arrival& arrival) { arrivals_.emplace(when, arrival); }

 private:
  std::multimap<MonoTime, Arrival> arrivals_;
};

struct Answer {
  size_t replica = 0;
  dns::Reason reason{};
  Rtt took{};  // from the query on
};

class Director {
 public:
  // References must outlive it; the fleet is as the survey and the heartbeat would have made it.
  Director(const dns::FlightOptions& flights, dns::FleetState& fleet, Probers& probers, FakeClock& clock,
           size_t max_prefixes, double exploration_share = 0)
      : clock_(clock),
        probers_(probers),
        map_(fleet.size(), max_prefixes, MonoTime{}),
        options_{.exploration_share = exploration_share},
        known_(map_, fleet, options_),
        board_(flights, fleet, map_, probers, clock, permit_) {}

  // As the responder asks. `answer` is filled in now or later, if ever.
  void Ask(const dns::ClientKey& client, std::optional<Answer>* answer);
  void OnPassive(dns::ReplicaId replica, const dns::PassiveRtt& rtt) { board_.OnPassive(replica, {&rtt, 1}); }
  // Lets the time pass, and everything happen that is due by then.
  void RunUntil(MonoTime until);

  size_t map_rows() const { return map_.size(); }

 private:
  FakeClock& clock_;
  Probers& probers_;
  dns::RttMap map_;
  const dns::SteeringOptions options_;
  const dns::KnownClients known_;
  dns::OpenPermit permit_;
  dns::FlightBoard board_;
};

}  // namespace perigee::sim
