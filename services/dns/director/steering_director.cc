#include "services/dns/director/steering_director.h"

#include <utility>

#include "spdlog/spdlog.h"

namespace perigee::dns {

bool SteeringDirector::Find(const ClientKey& client, SteeredAnswer* answer) {
  KnownClient known;
  if (!clients_.Find(client.address, &known)) return false;
  if (known.stale) measurement_.Refresh(client.address);
  *answer = AnswerFor(client, known.decision);
  return true;
}

void SteeringDirector::Park(const ClientKey& client, Done done) {
  measurement_.Park(client.address, [this, client, done = std::move(done)](const Decision* decision) mutable {
    if (decision == nullptr) return done(nullptr);
    spdlog::debug("{} -> {} ({})", client.address.ToString(), fleet_.info(decision->replica).name,
                  Word(decision->reason));
    const SteeredAnswer answer = AnswerFor(client, *decision);
    done(&answer);
  });
}

SteeredAnswer SteeringDirector::AnswerFor(const ClientKey& client, const Decision& decision) const {
  const ReplicaInfo& info = fleet_.info(decision.replica);
  const bool measured = decision.reason == Reason::kMeasuredBest || decision.reason == Reason::kHysteresis;
  SteeredAnswer answer{.ttl = measured ? ttls_.measured : ttls_.fallback,
                       .scope_length = client.prefix.length(),
                       .replica = info.name,
                       .reason = decision.reason};
  if (info.ipv4) answer.v4.Add(*info.ipv4);
  if (info.ipv6) answer.v6.Add(*info.ipv6);
  return answer;
}

}  // namespace perigee::dns
