#include "services/dns/director/steering_director.h"

#include <algorithm>
#include <array>
#include <utility>

namespace perigee::dns {

bool SteeringDirector::Find(const ClientKey& client, MonoTime now, SteeredAnswer* answer) {
  if (options_.addresses_per_answer > 1) return FindSeveral(client, now, answer);
  KnownClient known;
  if (!clients_.Find(client, now, &known)) return false;
  RefreshIfStale(client, now, known);
  Fill(known, answer);
  return true;
}

void SteeringDirector::FindUnmeasured(const ClientKey& client, MonoTime now, SteeredAnswer* answer) {
  KnownClient known;
  if (!clients_.Find(client, now, &known)) known = clients_.Stranger(client);
  Fill(known, answer);
}

void SteeringDirector::Expect(const ClientKey& client, Approach approach) {
  approach == Approach::kFirst ? clients_.ExpectKey(client) : clients_.ExpectRow(client);
}

[[gnu::noinline]] bool SteeringDirector::FindSeveral(const ClientKey& client, MonoTime now,
                                                     SteeredAnswer* answer) const {
  KnownClient known;
  MapRow row;
  if (!clients_.Find(client, now, &known, &row)) return false;
  RefreshIfStale(client, now, known);
  Fill(known, answer);
  AddFurther(client, known.decision, {row.samples.data(), fleet_.size()}, answer);
  return true;
}

void SteeringDirector::RefreshIfStale(const ClientKey& client, MonoTime now, const KnownClient& known) const {
  if (known.stale && clients_.AskRefresh(client, now)) measurement_.Refresh(client);
}

void SteeringDirector::Park(const ClientKey& client, Done done) {
  measurement_.Park(client, [this, client, done = std::move(done)](const FlightOutcome* outcome) mutable {
    if (outcome == nullptr) return done(nullptr);
    const SteeredAnswer answer = AnswerFor(client, *outcome);
    done(&answer);
  });
}

SteeredAnswer SteeringDirector::AnswerFor(const ClientKey& client, const FlightOutcome& outcome) const {
  SteeredAnswer answer;
  Fill({.decision = outcome.decision,
        .sample = outcome.samples[Index(outcome.decision.replica)],
        .scope_length = clients_.ScopeFor(client, outcome.decision)},
       &answer);
  if (options_.addresses_per_answer > 1) AddFurther(client, outcome.decision, outcome.samples, &answer);
  return answer;
}

void SteeringDirector::Fill(const KnownClient& known, SteeredAnswer* answer) const {
  const Decision& decision = known.decision;
  answer->v4.Clear();
  answer->v6.Clear();
  answer->ttl = options_.ttl(decision.reason);
  answer->scope_length = known.scope_length;
  answer->reason = decision.reason;
  const bool fails = options_.Fails(decision);
  answer->replica = fails ? std::string_view() : std::string_view(fleet_.info(decision.replica).name);
  answer->sample = fails ? Sample{} : known.sample;
  if (!fails) AddAddresses(decision.replica, answer);
}

void SteeringDirector::AddAddresses(ReplicaId replica, SteeredAnswer* answer) const {
  const ReplicaInfo& info = fleet_.info(replica);
  if (info.ipv4) answer->v4.Add(*info.ipv4);
  if (info.ipv6) answer->v6.Add(*info.ipv6);
}

// The replicas after the first. An operator's choice stands alone, and so does a failure.
void SteeringDirector::AddFurther(const ClientKey& client, const Decision& decision,
                                  std::span<const Sample> samples, SteeredAnswer* answer) const {
  if (decision.reason == Reason::kOverride || answer->replica.empty()) return;
  const ChoiceInputs inputs{
      .samples = samples, .healthy = fleet_.healthy(), .avoided = fleet_.avoided(), .prefix = client.prefix};
  std::array<ReplicaId, kMaxAnswerAddresses> ranked;
  const std::span<ReplicaId> wanted(ranked.data(), std::min(options_.addresses_per_answer, ranked.size()));
  const size_t count = Ranked(inputs, options_.rules, decision.replica, wanted);
  for (size_t i = 1; i < count; ++i) AddAddresses(ranked[i], answer);
}

}  // namespace perigee::dns
