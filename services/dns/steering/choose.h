// Which replica a client gets, and why: pure functions of what is known.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "absl/container/inlined_vector.h"
#include "lib/base/address.h"
#include "lib/base/clock.h"
#include "services/dns/steering/rendezvous.h"
#include "services/dns/steering/replica.h"

namespace perigee::dns {

// The words are those of prober.proto's Method and director.proto's Reason, with the same numbers.
enum class Method : uint8_t {
  kUnknown = 0,
  kIcmpEcho = 1,
  kTcpSyn = 2,
  kSilent = 3,
  kPassive = 4,
  kLastHop = 5,
  kUdpPort = 6,
};
inline constexpr Method kLastMethod = Method::kUdpPort;
enum class Reason : uint8_t {
  kMeasuredBest = 1,
  kHoldExpired = 2,
  kNeighbour = 3,
  kHashed = 4,
  kAllDown = 5,
  kHysteresis = 6,
  kBand = 7,
  kShed = 8,
  kOverride = 9,
  kExploration = 10,
  kGeography = 11,
  kLeastFloor = 12,
  kClientele = 13,
};
inline constexpr size_t kReasons = 14;  // one above the highest
// Every reason that there is.
inline constexpr Reason kAllReasons[] = {
    Reason::kMeasuredBest, Reason::kHoldExpired, Reason::kNeighbour, Reason::kHashed,   Reason::kAllDown,
    Reason::kHysteresis,   Reason::kBand,        Reason::kShed,      Reason::kOverride, Reason::kExploration,
    Reason::kGeography,    Reason::kLeastFloor,  Reason::kClientele};
std::string_view Word(Method method);
std::string_view Word(Reason reason);

// What is known of the distance between one replica and one client.
struct Sample {
  Rtt rtt{};
  Method method = Method::kUnknown;

  bool probed() const {
    return method == Method::kIcmpEcho || method == Method::kTcpSyn || method == Method::kUdpPort;
  }
  bool measured() const { return probed() || method == Method::kPassive; }
  // The client is at least so far: see floors.h.
  bool is_floor() const { return method == Method::kLastHop; }
  bool timed() const { return measured() || is_floor(); }
};

// One for each replica, by ReplicaId.
using Samples = absl::InlinedVector<Sample, kWholeFleet>;

struct Decision {
  ReplicaId replica{};
  Reason reason = Reason::kHashed;
};

// A client is left with its replica unless another is nearer by max(kHysteresisFloor, kHysteresisShare of
// it).
inline constexpr Rtt kHysteresisFloor = std::chrono::milliseconds(5);
inline constexpr double kHysteresisShare = 0.10;

// The nearest measured replica of `usable`, if any was measured.
std::optional<ReplicaId> Nearest(std::span<const Sample> samples, const ReplicaSet& usable);

// The usable replica with the least floor, if any has one.
std::optional<ReplicaId> LeastFloor(std::span<const Sample> samples, const ReplicaSet& usable);

// What an operator set, the same for all clients.
struct ChoiceRules {
  // All measured within max(kHysteresisFloor, kHysteresisShare) of the nearest share its clients.
  bool band = false;
  // By replica, 1 to kMaxWeight; what is missing weighs kDefaultWeight.
  std::vector<uint32_t> weights;

  uint32_t weight(ReplicaId id) const {
    return Index(id) < weights.size() ? weights[Index(id)] : kDefaultWeight;
  }
  // A number for these rules: a remembered choice made under others is to be made anew.
  uint16_t Fingerprint() const;
};

struct ChoiceInputs {
  std::span<const Sample> samples;  // one per replica, 1 to kMaxReplicas
  ReplicaSet healthy;
  // Overloaded or distrusted: given to a client only when there is nobody else.
  ReplicaSet avoided;
  // The replica that the client has now.
  std::optional<ReplicaId> previous;
  // The replica that an operator set for the client's network.
  std::optional<ReplicaId> set_by_operator;
  IpPrefix prefix;
};

// Those among whom a client's replica is chosen: the healthy ones that are not avoided; all healthy ones
// when all are avoided; all of the `count` replicas when none is healthy.
ReplicaSet Usable(size_t count, const ReplicaSet& healthy, const ReplicaSet& avoided);

// Chooses. In this order:
// - set_by_operator, when it is healthy (kOverride);
// - with nobody healthy, the previous, or else the best of what is known of all (kAllDown);
// - with the band on, weighted rendezvous hashing among those near enough; the previous stays if it is one
//   of them (kBand; kMeasuredBest when the band is the nearest alone);
// - the previous, unless another is nearer by enough (kHysteresis);
// - the nearest (kMeasuredBest);
// - with none measured, the one with the least floor (kLeastFloor);
// - with no floor either, weighted rendezvous hashing among the usable (kHashed).
// Only usable replicas are chosen; kShed stands in place of the last five when a nearer one was left out for
// its load, or as it is not believed.
Decision Choose(const ChoiceInputs& inputs, const ChoiceRules& rules);

// What a client would be given if all were well: the choice to remember, for health and load change sooner
// than distances do. Looks at samples, previous and prefix only.
Decision ChooseHome(const ChoiceInputs& inputs, const ChoiceRules& rules);

// The home remembered as `remembered`, made by rules of the fingerprint `made_by`; by today's rules when it
// depends on them and they have changed since.
Decision HomeNow(const Decision& remembered, uint16_t made_by, const ChoiceInputs& inputs,
                 const ChoiceRules& rules);
// Whether it stands without a look at the samples; `fingerprint` is that of `rules`.
bool HomeHolds(const Decision& remembered, uint16_t made_by, const ChoiceRules& rules, uint16_t fingerprint);

// Whether a client is given its home as things stand; else Choose says what instead.
bool HomeIsUsable(ReplicaId home, size_t count, const ReplicaSet& healthy, const ReplicaSet& avoided);

// What a client with that home is given as things stand. `inputs.previous` does not count.
Decision ChooseFrom(const Decision& home, const ChoiceInputs& inputs, const ChoiceRules& rules);

// `first`, then the other usable replicas: the measured by distance, then the rest by rendezvous hashing.
// Fills `out` as far as it goes and returns how many there are in it. No allocation.
size_t Ranked(const ChoiceInputs& inputs, const ChoiceRules& rules, ReplicaId first,
              std::span<ReplicaId> out);

}  // namespace perigee::dns
