#include "services/dns/measurement/client_rows.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "services/dns/steering/clientele.h"
#include "services/dns/steering/floors.h"
#include "services/dns/steering/inference.h"

namespace perigee::dns {
namespace {

// Rows count in whole seconds.
constexpr auto kJustMeasured = std::chrono::seconds(2);

// Joins what a flight has learned of one replica with what was known before. A replica that failed to answer
// keeps what was known of it; so does one whose refinement was longer or silent, and neither silence nor a
// floor takes anything from what connections said.
Sample Join(FlightCause cause, const Sample& known, const Sample& learned) {
  if (learned.method == Method::kUnknown) return known;
  if (!learned.measured() && known.method == Method::kPassive) return known;
  const bool was_less = known.measured() && (!learned.measured() || known.rtt <= learned.rtt);
  return cause == FlightCause::kRefinement && was_less ? known : learned;
}

size_t Measured(std::span<const Sample> samples) {
  return static_cast<size_t>(
      std::count_if(samples.begin(), samples.end(), [](const Sample& sample) { return sample.measured(); }));
}

bool AnyProbed(std::span<const Sample> samples) {
  return std::any_of(samples.begin(), samples.end(), [](const Sample& sample) { return sample.probed(); });
}

}  // namespace

Decision AsInferred(Decision decision, Reason reason) {
  if (decision.reason != Reason::kHashed && decision.reason != Reason::kAllDown &&
      decision.reason != Reason::kShed) {
    decision.reason = reason;
  }
  return decision;
}

ClientRows::ClientRows(const ChoiceRules& rules, const FleetState& fleet, RttMap& map,
                       DistanceView& distances, const Locate& locate, const Clock& clock)
    : rules_(rules),
      rules_fingerprint_(rules.Fingerprint()),
      fleet_(fleet),
      map_(map),
      distances_(distances),
      locate_(locate),
      clock_(clock) {}

ChoiceInputs ClientRows::InputsFor(const IpPrefix& client, std::span<const Sample> samples) const {
  return {.samples = samples, .healthy = fleet_.healthy(), .avoided = fleet_.avoided(), .prefix = client};
}

std::optional<ReplicaId> ClientRows::HomeOf(const IpPrefix& client) const {
  const auto row = Known(client);
  if (!row) return std::nullopt;
  return HomeNow(row->decision, row->rules, InputsFor(client, SamplesOf(*row)), rules_).replica;
}

std::optional<MapRow> ClientRows::JustMeasured(const IpPrefix& client) const {
  const auto hit = Remembered(client);  // strangers are many, and a row is long
  if (!hit || clock_.Now() - hit->measured_at >= kJustMeasured) return std::nullopt;
  return Known(client);
}

std::optional<MapRow> ClientRows::Known(const IpPrefix& client) const {
  MapRow row;
  return map_.Find(client, &row) ? std::optional(row) : std::nullopt;
}

Decision ClientRows::Given(const IpPrefix& client, const MapRow& row) const {
  const ChoiceInputs inputs = InputsFor(client, SamplesOf(row));
  return ChooseFrom(HomeNow(row.decision, row.rules, inputs, rules_), inputs, rules_);
}

MapRow ClientRows::Own(const IpPrefix& client) const {
  MapRow row = EmptyRow();
  map_.Find(client, &row);
  return row;
}

MapRow ClientRows::Around(const IpPrefix& client) const { return Own(NeighbourhoodOf(client.address())); }

Decision ClientRows::GivenUnmeasured(const IpPrefix& client, std::span<const Sample> own,
                                     const MapRow& around) const {
  const StandIn stand_in = StandInFor(client, own, around);
  return AsInferred(Choose(InputsFor(client, stand_in.samples), rules_), stand_in.reason);
}

Samples ClientRows::ByPlace(const IpPrefix& client) const {
  Samples expected(fleet_.size());
  const auto place = locate_ ? locate_(client.address()) : std::nullopt;
  for (size_t i = 0; place && i < expected.size(); ++i) {
    const auto& replica = fleet_.info(ToReplicaId(i)).location;
    if (replica) expected[i] = {LikelyRtt(LeastRtt(*place, *replica)), Method::kPassive};
  }
  return expected;
}

std::optional<MapHit> ClientRows::Remembered(const IpPrefix& client) const {
  MapHit hit;
  return map_.Find(client, &hit) ? std::optional(hit) : std::nullopt;
}

// Neighbours are where they are measured to be, which a client is not always; a database says where addresses
// were once registered.
ClientRows::StandIn ClientRows::StandInFor(const IpPrefix& client, std::span<const Sample> own,
                                           const MapRow& around) const {
  const std::span<const Sample> neighbours = SamplesOf(around);
  const bool known = Nearest(neighbours, ReplicaSet::All(neighbours.size())).has_value();
  Samples floors(own.size());
  if ((!known || FloorsRefute(own, neighbours)) && AgreeingFloors(own, distances_.shorter(), floors)) {
    return {std::move(floors), Reason::kLeastFloor};
  }
  if (known || !locate_) return {{neighbours.begin(), neighbours.end()}, Reason::kNeighbour};
  return {ByPlace(client), Reason::kGeography};
}

// What a client that answers no probes may have.
Samples ClientRows::Expected(const MapRow& row, const StandIn& stand_in) const {
  Samples estimate(fleet_.size());
  Estimate(SamplesOf(row), stand_in.samples, distances_.shorter(), estimate);
  return estimate;
}

// The home of a client that answers no probes.
Decision ClientRows::InferHome(const IpPrefix& client, const MapRow& row, const MapRow& around) const {
  const StandIn stand_in = StandInFor(client, SamplesOf(row), around);
  const Samples estimate = Expected(row, stand_in);
  ChoiceInputs inputs = InputsFor(client, estimate);
  if (row.samples[Index(row.decision.replica)].measured() || row.decision.reason == Reason::kLeastFloor) {
    inputs.previous = row.decision.replica;
  }
  const Decision home = ChooseHome(inputs, rules_);
  return row.samples[Index(home.replica)].measured() ? home : AsInferred(home, stand_in.reason);
}

Samples ClientRows::Expected(const IpPrefix& client, const MapRow& row) const {
  const std::span<const Sample> own = SamplesOf(row);
  if (AnyProbed(own)) return {own.begin(), own.end()};
  return Expected(row, StandInFor(client, own, Around(client)));
}

// Gives a resolver what is best for its clients, when enough of them are known. It stays with what is as good
// for them.
bool ClientRows::ChooseByClients(const IpPrefix& resolver, MapRow* row) const {
  std::vector<Samples> clients;
  for (const IpPrefix& client : clienteles_.Of(resolver, clock_.Now())) {
    const auto known = client == resolver ? *row : Known(client);
    Samples expected = known ? Expected(client, *known) : Samples();
    if (Measured(expected) > 0) clients.push_back(std::move(expected));
  }
  if (clients.size() < kEnoughClients) return false;
  Samples median(fleet_.size());
  MedianOf(clients, median);
  if (Measured(median) < 2) return false;  // that they have one says nothing of others
  ChoiceInputs inputs = InputsFor(resolver, median);
  const auto before = Remembered(resolver);
  if (before && before->decision.reason == Reason::kClientele) inputs.previous = before->decision.replica;
  row->decision = AsInferred(ChooseHome(inputs, rules_), Reason::kClientele);
  row->rules = rules_fingerprint_;
  return true;
}

// More is known of one of its clients.
void ClientRows::TellResolverOf(const IpPrefix& client) {
  const auto resolver = clienteles_.ResolverOf(client);
  auto row = resolver && *resolver != client ? Known(*resolver) : std::nullopt;
  if (row && ChooseByClients(*resolver, &*row)) map_.Put(*resolver, *row);
}

bool ClientRows::LearnResolver(const IpPrefix& client, const IpPrefix& resolver) {
  if (clienteles_.Join(resolver, client, clock_.Now())) TellResolverOf(client);
  const auto known = Remembered(client);
  return !known || clock_.Now() - known->measured_at > kBeaconSoftAge;
}

MapRow ClientRows::Learn(const IpPrefix& client, FlightCause cause, std::span<const Sample> learned,
                         std::optional<ReplicaId> previous) {
  MapRow row = EmptyRow();
  const bool known = map_.Find(client, &row);
  for (size_t i = 0; i < learned.size(); ++i) row.samples[i] = Join(cause, row.samples[i], learned[i]);
  row.measured_at = clock_.Now();
  if (!AnyProbed(SamplesOf(row))) {
    row.decision = InferHome(client, row, Around(client));
    row.rules = rules_fingerprint_;
  } else if (AnyProbed(learned) || !known) {
    ChoiceInputs inputs = InputsFor(client, SamplesOf(row));
    inputs.previous = previous;
    row.decision = ChooseHome(inputs, rules_);
    row.rules = rules_fingerprint_;
  }
  ChooseByClients(client, &row);
  map_.Put(client, row);
  TellResolverOf(client);
  return row;
}

// Their row in the map is marked as what it is, for a query may be told to be for all of it (RFC 7871).
void ClientRows::TeachSurroundings(const IpPrefix& client, std::span<const Sample> learned) {
  const IpPrefix prefix = NeighbourhoodOf(client.address());
  if (client.length() <= prefix.length() || !Nearest(learned, ReplicaSet::All(learned.size()))) return;
  MapRow around = Around(client);
  for (size_t i = 0; i < learned.size(); ++i) Blend(learned[i], &around.samples[i]);
  around.decision = AsInferred(ChooseHome(InputsFor(prefix, SamplesOf(around)), rules_), Reason::kNeighbour);
  around.measured_at = clock_.Now();
  around.rules = rules_fingerprint_;
  map_.Put(prefix, around);
}

PassiveUse ClientRows::LearnPassive(const IpPrefix& client, ReplicaId replica, Rtt rtt) {
  MapRow row;
  if (!map_.Find(client, &row)) return PassiveUse::kUnknownClient;
  if (!JoinPassive(rtt, &row.samples[Index(replica)])) return PassiveUse::kNothingNew;
  const ReplicaId before = row.decision.replica;
  if (AnyProbed(SamplesOf(row))) {
    ChoiceInputs inputs = InputsFor(client, SamplesOf(row));
    inputs.previous = HomeNow(row.decision, row.rules, inputs, rules_).replica;
    row.decision = ChooseHome(inputs, rules_);
  } else {
    const MapRow around = Around(client);
    row.decision = InferHome(client, row, around);
    // It speaks with every connection: one that is elsewhere would soon speak for all.
    if (AreAlike(SamplesOf(row), SamplesOf(around))) {
      Samples learned(fleet_.size());
      learned[Index(replica)] = row.samples[Index(replica)];
      TeachSurroundings(client, learned);
    }
  }
  row.rules = rules_fingerprint_;
  ChooseByClients(client, &row);
  map_.Put(client, row);
  if (row.decision.replica != before) TellResolverOf(client);
  return PassiveUse::kJoined;
}

}  // namespace perigee::dns
