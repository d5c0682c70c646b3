// Steering as the DNS front end sees it: known clients from the map at once, others through a measurement.
#pragma once

#include <chrono>

#include "services/dns/director/known_clients.h"
#include "services/dns/fleet/fleet_state.h"
#include "services/dns/measurement/measurement_loop.h"
#include "services/dns/responder/steering_seam.h"

namespace perigee::dns {

struct AnswerTtls {
  std::chrono::seconds measured{60};
  // Of an answer that a later query is likely to improve on.
  std::chrono::seconds fallback{5};
};

// Thread-safe. The references must outlive it.
class SteeringDirector final : public Steering {
 public:
  SteeringDirector(const KnownClients& clients, const FleetState& fleet, MeasurementLoop& measurement,
                   const AnswerTtls& ttls)
      : clients_(clients), fleet_(fleet), measurement_(measurement), ttls_(ttls) {}

  bool Find(const ClientKey& client, SteeredAnswer* answer) override;
  void Park(const ClientKey& client, Done done) override;

 private:
  SteeredAnswer AnswerFor(const ClientKey& client, const Decision& decision) const;

  const KnownClients& clients_;
  const FleetState& fleet_;
  MeasurementLoop& measurement_;
  const AnswerTtls ttls_;
};

}  // namespace perigee::dns
