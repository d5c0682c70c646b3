#include "services/dns/steering/inference.h"

#include <algorithm>

namespace perigee::dns {
namespace {

// How far what was known moves towards what is heard: one part of so many.
constexpr int kPassiveInertia = 8, kSurroundingsInertia = 4;

// Last miles differ, and so do paths from places nearby: only more than this is a contradiction.
constexpr Rtt kContradiction = std::chrono::milliseconds(30);
constexpr double kContradictionShare = 0.5;

Rtt Tolerance(Rtt rtt) {
  return std::max(kContradiction, std::chrono::duration_cast<Rtt>(rtt * kContradictionShare));
}

// The least RTT to each replica that the client's own samples allow, of the method of the one that says so;
// no sample where its distances are not known. The distances from one replica lie side by side.
void Bound(std::span<const Sample> own, const ReplicaDistances& distances, std::span<Sample> out) {
  std::fill(out.begin(), out.end(), Sample{});
  for (size_t from = 0; from < own.size(); ++from) {
    if (!own[from].measured()) continue;
    for (size_t i = 0; i < out.size(); ++i) {
      const Rtt distance = distances.Between(ToReplicaId(from), ToReplicaId(i));
      if (distance == Rtt::zero()) continue;
      const Rtt least = std::chrono::abs(distance - own[from].rtt);
      if (!out[i].measured() || least > out[i].rtt) out[i] = {least, own[from].method};
    }
  }
}

}  // namespace

IpPrefix NeighbourhoodOf(const IpAddress& client) { return IpPrefix(client, client.is_v4() ? 16 : 32); }

bool JoinPassive(Rtt rtt, Sample* known) {
  if (!known->measured() || rtt < known->rtt) {
    *known = {rtt, Method::kPassive};
  } else if (known->method == Method::kPassive) {
    known->rtt += (rtt - known->rtt) / kPassiveInertia;
  } else {
    return false;
  }
  return true;
}

void Blend(const Sample& one, Sample* around) {
  if (!one.measured()) return;
  if (!around->measured()) {
    *around = one;
  } else {
    around->rtt += (one.rtt - around->rtt) / kSurroundingsInertia;
    around->method = one.method;
  }
}

bool AreAlike(std::span<const Sample> own, std::span<const Sample> stand_in) {
  for (size_t i = 0; i < own.size(); ++i) {
    if (!own[i].measured() || !stand_in[i].timed()) continue;
    if (std::chrono::abs(own[i].rtt - stand_in[i].rtt) > Tolerance(stand_in[i].rtt)) return false;
  }
  return true;
}

void Estimate(std::span<const Sample> own, std::span<const Sample> stand_in,
              const ReplicaDistances& distances, std::span<Sample> out) {
  if (AreAlike(own, stand_in)) {
    std::copy(stand_in.begin(), stand_in.end(), out.begin());
  } else {
    Bound(own, distances, out);
  }
  for (size_t i = 0; i < own.size(); ++i) {
    if (own[i].measured()) out[i] = own[i];
    if (out[i].is_floor()) out[i].method = Method::kPassive;
  }
}

}  // namespace perigee::dns
