#include "services/dns/director/steering_director.h"

#include <utility>

#include "spdlog/spdlog.h"

namespace perigee::dns {

bool SteeringDirector::Find(const IpAddress& client, SteeredAnswer* answer) {
  KnownClient known;
  if (!clients_.Find(client, &known)) return false;
  if (known.stale) measurement_.Refresh(client);
  *answer = AnswerFor(client, known.decision);
  return true;
}

void SteeringDirector::Park(const IpAddress& client, Done done) {
  measurement_.Park(client, [this, client, done = std::move(done)](const Decision* decision) mutable {
    if (decision == nullptr) return done(nullptr);
    spdlog::debug("{} -> {} ({})", client.ToString(), fleet_.info(decision->replica).name,
                  Word(decision->reason));
    const SteeredAnswer answer = AnswerFor(client, *decision);
    done(&answer);
  });
}

SteeredAnswer SteeringDirector::AnswerFor(const IpAddress& client, const Decision& decision) const {
  const ReplicaInfo& info = fleet_.info(decision.replica);
  const bool measured = decision.reason == Reason::kMeasuredBest || decision.reason == Reason::kHysteresis;
  return {.v4 = info.ipv4,
          .v6 = info.ipv6,
          .ttl = measured ? ttls_.measured : ttls_.fallback,
          .scope_length = ClientPrefix(client).length()};
}

}  // namespace perigee::dns
