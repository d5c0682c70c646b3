// Leave to probe, as the flight board asks for it; see probe_permit.h.
#pragma once

#include "absl/status/status.h"
#include "lib/base/address.h"
#include "lib/base/clock.h"
#include "services/dns/steering/client_key.h"

namespace perigee::dns {

class Permit {
 public:
  virtual ~Permit() = default;
  // May this client be probed now? Takes from the probe budget when it may. Counts its own refusals.
  virtual absl::Status Ask(const ClientKey& client, MonoTime now) = 0;
  // A client from there has had a connection to a replica.
  virtual void OnConnection(const IpPrefix& client) = 0;
};

}  // namespace perigee::dns
