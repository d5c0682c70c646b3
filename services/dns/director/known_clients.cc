#include "services/dns/director/known_clients.h"

#include <algorithm>

#include "services/dns/steering/exploration.h"
#include "services/dns/steering/inference.h"

namespace perigee::dns {
namespace {

// Whether nobody measured a client that has its home for that reason, nor a connection of its own.
bool IsInferred(Reason home) {
  return home == Reason::kHashed || home == Reason::kNeighbour || home == Reason::kGeography ||
         home == Reason::kLeastFloor;
}

}  // namespace

KnownClients::KnownClients(RttMap& map, const FleetState& fleet, const SteeringOptions& options)
    : map_(map), fleet_(fleet), options_(options), rules_fingerprint_(options.rules.Fingerprint()) {}

const Override* KnownClients::SetByOperator(const ClientKey& client) const {
  if (options_.overrides.empty()) return nullptr;
  const Override* found = options_.overrides.Find(client.address);
  return found != nullptr && fleet_.IsHealthy(found->replica) ? found : nullptr;
}

int KnownClients::ScopeFor(const ClientKey& client, const Decision& decision) const {
  if (fleet_.size() == 1) return 0;
  const bool by_operator = decision.reason == Reason::kOverride;
  return options_.overrides.ScopeFor(client, by_operator ? options_.overrides.Find(client.address) : nullptr);
}

bool KnownClients::IsUsable(ReplicaId home) const {
  return fleet_.IsAtEase(home) || HomeIsUsable(home, fleet_.size(), fleet_.healthy(), fleet_.avoided());
}

// Fills in how old the row is; false when it is too old.
bool KnownClients::Date(const Decision& remembered, std::chrono::nanoseconds age, KnownClient* known) const {
  known->in_map = true;
  known->age = std::chrono::duration_cast<std::chrono::seconds>(age);
  const auto soft =
      IsInferred(remembered.reason) ? std::min(options_.ages.soft, kSilentSoftAge) : options_.ages.soft;
  known->stale = known->age > soft;
  return known->age <= options_.ages.hard;
}

void KnownClients::SetOverride(const ClientKey& client, const Override& found, KnownClient* known) const {
  *known = {.decision = {found.replica, Reason::kOverride}};
  known->scope_length = ScopeFor(client, known->decision);
}

bool KnownClients::Find(const ClientKey& client, MonoTime now, KnownClient* known) const {
  if (const Override* found = SetByOperator(client)) {
    SetOverride(client, *found, known);
    return true;
  }
  MapHit hit;
  if (!map_.Find(client.prefix, &hit)) return false;
  if (!IsUsable(hit.decision.replica) ||
      !HomeHolds(hit.decision, hit.rules, options_.rules, rules_fingerprint_)) {
    return Anew(client, now, known);
  }
  if (!Date(hit.decision, now - hit.measured_at, known)) return false;
  known->decision = hit.decision;
  known->sample = hit.sample;
  known->scope_length = ScopeFor(client, hit.decision);
  if (options_.exploration_share > 0) Explore(client, now, known);
  return true;
}

KnownClient KnownClients::Stranger(const ClientKey& client) const {
  const MapRow row{.samples = Samples(fleet_.size())};
  const Decision decision = Choose(InputsFor(client, row), options_.rules);
  return {.decision = decision, .scope_length = ScopeFor(client, decision)};
}

ReplicaSet KnownClients::Explorables(const ClientKey& client, const Decision& given,
                                     std::span<const Sample> own) const {
  if (options_.exploration_share == 0 || given.reason == Reason::kOverride ||
      given.reason == Reason::kAllDown || given.reason == Reason::kClientele)
    return {};
  MapRow around{.samples = Samples(own.size())};
  map_.Find(NeighbourhoodOf(client.prefix.address()), &around);
  return Explorable({.given = given.replica,
                     .own = own,
                     .around = {around.samples.data(), own.size()},
                     .usable = fleet_.healthy().Without(fleet_.avoided()),
                     .at_least = [this](ReplicaId a, ReplicaId b) { return fleet_.AtLeast(a, b); }});
}

// Few answers come to the look at the rows.
[[gnu::noinline]] void KnownClients::Explore(const ClientKey& client, MonoTime now,
                                             KnownClient* known) const {
  const uint64_t draw = ExplorationDraw(client.prefix, now);
  MapRow row;
  if (!Explores(draw, options_.exploration_share) || !map_.Find(client.prefix, &row)) return;
  const std::span<const Sample> own{row.samples.data(), fleet_.size()};
  const auto other = ExploredOf(Explorables(client, known->decision, own), draw);
  if (!other) return;
  known->decision = {*other, Reason::kExploration};
  known->sample = own[Index(*other)];
}

// Kept out of the way of most queries, for it takes a kilobyte of stack.
[[gnu::noinline]] bool KnownClients::Anew(const ClientKey& client, MonoTime now, KnownClient* known) const {
  MapRow row;
  return Find(client, now, known, &row);
}

ChoiceInputs KnownClients::InputsFor(const ClientKey& client, const MapRow& row) const {
  return {.samples = {row.samples.data(), fleet_.size()},
          .healthy = fleet_.healthy(),
          .avoided = fleet_.avoided(),
          .prefix = client.prefix};
}

bool KnownClients::Find(const ClientKey& client, MonoTime now, KnownClient* known, MapRow* row) const {
  *known = {};
  const bool in_map = map_.Find(client.prefix, row) && Date(row->decision, now - row->measured_at, known);
  if (!in_map) {
    *known = {};
    *row = {.samples = Samples(std::max(fleet_.size(), kWholeFleet))};
  }
  ChoiceInputs inputs = InputsFor(client, *row);
  const Override* found = SetByOperator(client);
  if (found != nullptr) {
    inputs.set_by_operator = found->replica;
  } else if (!in_map) {
    return false;
  }
  const Decision home = HomeNow(row->decision, row->rules, inputs, options_.rules);
  known->decision = ChooseFrom(home, inputs, options_.rules);
  known->sample = row->samples[Index(known->decision.replica)];
  known->scope_length = ScopeFor(client, known->decision);
  if (found != nullptr) known->stale = false;
  return true;
}

bool KnownClients::AskRefresh(const ClientKey& client, MonoTime now) const {
  return map_.AskRefresh(client.prefix, now, kRefreshInterval);
}

}  // namespace perigee::dns
