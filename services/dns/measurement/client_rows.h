// What is known of clients, and what they are given for it: the map's rows, and the only one who writes them.
//
// A row joins what measurements and connections said of one prefix. Beside it stands the row of its
// surroundings (inference.h), for clients of which nothing else is known. A resolver whose clients are known
// by beacons is given what is best for most of them (clientele.h).
//
// Threads: one, that of the flight board.
#pragma once

#include <algorithm>
#include <optional>
#include <span>

#include "lib/base/address.h"
#include "lib/base/clock.h"
#include "services/dns/fleet/fleet_state.h"
#include "services/dns/map/rtt_map.h"
#include "services/dns/measurement/clienteles.h"
#include "services/dns/measurement/distance_view.h"
#include "services/dns/steering/choose.h"
#include "services/dns/telemetry/server_counters.h"

namespace perigee::dns {

// A client that a beacon told of is measured again when its row is older: nobody asks for itself there.
inline constexpr auto kBeaconSoftAge = std::chrono::hours(1);

// A choice by samples that stand in for a client's own, as one for the client.
Decision AsInferred(Decision decision, Reason reason);

class ClientRows {
 public:
  // References must outlive it.
  ClientRows(const ChoiceRules& rules, const FleetState& fleet, RttMap& map, DistanceView& distances,
             const Locate& locate, const Clock& clock);

  // The replica that the client has when all are well; nothing for a stranger.
  std::optional<ReplicaId> HomeOf(const IpPrefix& client) const;
  // Its row, when it was measured within the last two seconds: while the query was on its way here.
  std::optional<MapRow> JustMeasured(const IpPrefix& client) const;
  // Its row, whenever it was measured.
  std::optional<MapRow> Known(const IpPrefix& client) const;
  // What a client with that row is given now.
  Decision Given(const IpPrefix& client, const MapRow& row) const;

  // A client's own row, and that of its surroundings; an empty one when nothing is known.
  MapRow Own(const IpPrefix& client) const;
  MapRow Around(const IpPrefix& client) const;
  // What its place lets expect, as samples; none when that is not known. To choose by, not to be kept: nobody
  // measured it.
  Samples ByPlace(const IpPrefix& client) const;
  // What is remembered of its home.
  std::optional<MapHit> Remembered(const IpPrefix& client) const;
  // What a client is given that nobody has measured: by the floors in `own`, when enough of them agree and
  // its surroundings are not known or one says that it is elsewhere; else by its surroundings, or its place,
  // when not even they are known; by hashing, when that is not either.
  Decision GivenUnmeasured(const IpPrefix& client, std::span<const Sample> own, const MapRow& around) const;

  // Joins what a flight has learned, and returns the row as it is now. A replica of which nothing was heard
  // keeps what was known of it, and a flight that measured nothing changes no choice but that of a stranger.
  // The choice leaves `previous` only for one that is nearer by enough (choose.h).
  MapRow Learn(const IpPrefix& client, FlightCause cause, std::span<const Sample> learned,
               std::optional<ReplicaId> previous);
  // What the surroundings learn from it: once for each client and flight.
  void TeachSurroundings(const IpPrefix& client, std::span<const Sample> learned);
  // What a replica's connections with a client said.
  PassiveUse LearnPassive(const IpPrefix& client, ReplicaId replica, Rtt rtt);
  // That the client asks through that resolver. Returns whether the client is to be measured.
  bool LearnResolver(const IpPrefix& client, const IpPrefix& resolver);

  ChoiceInputs InputsFor(const IpPrefix& client, std::span<const Sample> samples) const;
  std::span<const Sample> SamplesOf(const MapRow& row) const { return {row.samples.data(), fleet_.size()}; }

 private:
  // A row of a client of which nothing is known.
  MapRow EmptyRow() const { return {.samples = Samples(std::max(fleet_.size(), kWholeFleet))}; }
  struct StandIn {
    Samples samples;
    Reason reason{};  // of a choice by them
  };
  StandIn StandInFor(const IpPrefix& client, std::span<const Sample> own, const MapRow& around) const;
  Samples Expected(const MapRow& row, const StandIn& stand_in) const;
  Samples Expected(const IpPrefix& client, const MapRow& row) const;
  Decision InferHome(const IpPrefix& client, const MapRow& row, const MapRow& around) const;
  bool ChooseByClients(const IpPrefix& resolver, MapRow* row) const;
  void TellResolverOf(const IpPrefix& client);

  const ChoiceRules& rules_;
  const uint16_t rules_fingerprint_;
  const FleetState& fleet_;
  RttMap& map_;
  DistanceView& distances_;
  const Locate& locate_;
  const Clock& clock_;
  Clienteles clienteles_;
};

}  // namespace perigee::dns
