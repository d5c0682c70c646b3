// What a client that is already in the map is answered: the map's row, seen in the light of the fleet's
// health and load, and of the operator's rules, now.
//
// Thread-safe, without locks or allocation. Most queries read a decision, its age and its sample; the row's
// other samples are looked at only when the remembered replica is not to be given.
#pragma once

#include <chrono>
#include <span>

#include "lib/base/clock.h"
#include "services/dns/director/steering_options.h"
#include "services/dns/fleet/fleet_state.h"
#include "services/dns/map/rtt_map.h"
#include "services/dns/steering/choose.h"
#include "services/dns/steering/client_key.h"

namespace perigee::dns {

// A row whose home was inferred is soon worth another try: by floors too, for a client that slept may be
// awake.
inline constexpr auto kSilentSoftAge = std::chrono::seconds(60);
// A stale row is asked to be measured again once in this time: longer than a measurement takes.
inline constexpr auto kRefreshInterval = std::chrono::seconds(5);

struct KnownClient {
  Decision decision;
  Sample sample;  // of the decided replica
  // How long a prefix of the client's the decision is good for (RFC 7871 §7.2.1).
  int scope_length = 0;
  // Whether there is a row that says so: always, but for an operator's choice.
  bool in_map = false;
  // Of the row: whether it is time to measure again, and its age.
  bool stale = false;
  std::chrono::seconds age{};
};

class KnownClients {
 public:
  // The references must outlive this.
  KnownClients(RttMap& map, const FleetState& fleet, const SteeringOptions& options);

  // False when nothing is known of the client's prefix, or it is too old, and no operator set a replica for
  // it. Explores, when the options say so (exploration.h).
  bool Find(const ClientKey& client, MonoTime now, KnownClient* known) const;
  // The same, and all samples; they are cleared when there are none. Never explores.
  bool Find(const ClientKey& client, MonoTime now, KnownClient* known, MapRow* row) const;

  // One of whom nothing is known.
  KnownClient Stranger(const ClientKey& client) const;

  // Those to which the client, given `given` otherwise, may be sent to explore. Empty without exploration.
  ReplicaSet Explorables(const ClientKey& client, const Decision& given, std::span<const Sample> own) const;

  // Have what Find will need brought near: its key, and then what the key leads to.
  void ExpectKey(const ClientKey& client) const { map_.PrefetchKeys(client.prefix); }
  void ExpectRow(const ClientKey& client) const { map_.PrefetchRow(client.prefix); }

  // True for one of many that find the same client stale: that one is to have it measured again.
  bool AskRefresh(const ClientKey& client, MonoTime now) const;

  // How long a prefix of the client's any decision about it is good for.
  int ScopeFor(const ClientKey& client, const Decision& decision) const;

 private:
  const Override* SetByOperator(const ClientKey& client) const;
  bool IsUsable(ReplicaId home) const;
  ChoiceInputs InputsFor(const ClientKey& client, const MapRow& row) const;
  bool Date(const Decision& remembered, std::chrono::nanoseconds age, KnownClient* known) const;
  void Explore(const ClientKey& client, MonoTime now, KnownClient* known) const;
  bool Anew(const ClientKey& client, MonoTime now, KnownClient* known) const;
  void SetOverride(const ClientKey& client, const Override& found, KnownClient* known) const;

  RttMap& map_;
  const FleetState& fleet_;
  const SteeringOptions& options_;
  const uint16_t rules_fingerprint_;
};

}  // namespace perigee::dns
