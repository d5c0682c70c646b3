// Which replica a client gets, and why: pure functions of what is known.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "lib/base/address.h"
#include "lib/base/clock.h"
#include "services/dns/steering/replica.h"

namespace perigee::dns {

// The words are those of prober.proto's Method and director.proto's Reason, with the same numbers.
enum class Method : uint8_t { kUnknown = 0, kIcmpEcho = 1, kTcpSyn = 2, kSilent = 3 };
enum class Reason : uint8_t {
  kMeasuredBest = 1,
  kHoldExpired = 2,
  kNeighbour = 3,
  kHashed = 4,
  kAllDown = 5,
  kHysteresis = 6,
};
std::string_view Word(Method method);
std::string_view Word(Reason reason);

// What is known of the distance between one replica and one client.
struct Sample {
  Rtt rtt{};
  Method method = Method::kUnknown;

  bool measured() const { return method == Method::kIcmpEcho || method == Method::kTcpSyn; }
};

struct Decision {
  ReplicaId replica{};
  Reason reason = Reason::kHashed;
};

// A client is left with its replica unless another is nearer by max(kHysteresisFloor, kHysteresisShare of
// it).
inline constexpr Rtt kHysteresisFloor = std::chrono::milliseconds(5);
inline constexpr double kHysteresisShare = 0.10;

// The surroundings whose last measurement stands in for a client's own: a /16 of IPv4, a /32 of IPv6.
IpPrefix NeighbourhoodOf(const IpAddress& client);

// The nearest measured replica of `usable`, if any was measured.
std::optional<ReplicaId> Nearest(std::span<const Sample> samples, ReplicaSet usable);

// Chooses among `healthy`; among all `samples.size()` replicas, with kAllDown, when none is. `previous` is
// the replica that the client has now. Without any measured replica it is consistent hashing by `prefix`
// (rendezvous hashing: a replica that goes moves only its own clients). `samples` has 1 to kMaxReplicas
// entries.
Decision Choose(std::span<const Sample> samples, ReplicaSet healthy, std::optional<ReplicaId> previous,
                const IpPrefix& prefix);

}  // namespace perigee::dns
