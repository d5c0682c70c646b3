// Steering as the DNS front end sees it: known clients from the map at once, others through a measurement.
#pragma once

#include <span>

#include "services/dns/director/known_clients.h"
#include "services/dns/director/steering_options.h"
#include "services/dns/fleet/fleet_state.h"
#include "services/dns/measurement/measurement_loop.h"
#include "services/dns/responder/steering_seam.h"

namespace perigee::dns {

// Thread-safe. The references must outlive it.
class SteeringDirector final : public Steering {
 public:
  SteeringDirector(const KnownClients& clients, const FleetState& fleet, MeasurementLoop& measurement,
                   const SteeringOptions& options)
      : clients_(clients), fleet_(fleet), measurement_(measurement), options_(options) {}

  bool Find(const ClientKey& client, MonoTime now, SteeredAnswer* answer) override;
  void Expect(const ClientKey& client, Approach approach) override;
  void Park(const ClientKey& client, Done done) override;
  void FindUnmeasured(const ClientKey& client, MonoTime now, SteeredAnswer* answer) override;
  void NoteBeacon(const BeaconToken& token, const IpPrefix& resolver) override {
    measurement_.NoteBeacon(token, resolver);
  }

 private:
  bool FindSeveral(const ClientKey& client, MonoTime now, SteeredAnswer* answer) const;
  void Fill(const KnownClient& known, SteeredAnswer* answer) const;
  void AddAddresses(ReplicaId replica, SteeredAnswer* answer) const;
  void AddFurther(const ClientKey& client, const Decision& decision, std::span<const Sample> samples,
                  SteeredAnswer* answer) const;
  SteeredAnswer AnswerFor(const ClientKey& client, const FlightOutcome& outcome) const;
  void RefreshIfStale(const ClientKey& client, MonoTime now, const KnownClient& known) const;

  const KnownClients& clients_;
  const FleetState& fleet_;
  MeasurementLoop& measurement_;
  const SteeringOptions& options_;
};

}  // namespace perigee::dns
