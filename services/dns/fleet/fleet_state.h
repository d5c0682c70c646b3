// What the director knows of each replica right now: is it healthy, how far is its prober, how far are the
// replicas from each other. Written by the heartbeat and the distance survey, read by everyone.
//
// Thread-safe; no call waits for another.
#pragma once

#include <array>
#include <atomic>
#include <optional>
#include <string>
#include <vector>

#include "lib/base/address.h"
#include "lib/base/clock.h"
#include "services/dns/steering/early_decision.h"
#include "services/dns/steering/replica.h"

namespace perigee::dns {

// A replica of the fleet file; fixed while the program runs.
struct ReplicaInfo {
  std::string name;
  std::optional<IpAddress> ipv4, ipv6;  // what clients are given; at least one
  uint16_t http_port = 0;
  IpEndpoint prober;   // control port of its prober
  IpEndpoint control;  // control port of its httpserver
};

// Both parts of a replica, as the heartbeat sees them.
enum class Part : uint8_t { kProber = 0, kServer = 1 };

class FleetState {
 public:
  // 1 to kMaxReplicas replicas. Until the heartbeat knows better, all are healthy and their distances
  // unknown.
  explicit FleetState(std::vector<ReplicaInfo> replicas);

  size_t size() const { return replicas_.size(); }
  const ReplicaInfo& info(ReplicaId id) const { return replicas_[Index(id)]; }

  // Replicas whose httpserver may be sent new clients. A replica whose prober alone is down still serves
  // those that it is known to be near to.
  ReplicaSet healthy() const { return ReplicaSet::FromBits(up_[1].load(std::memory_order_relaxed)); }
  // Replicas whose prober can be asked.
  ReplicaSet measurable() const { return ReplicaSet::FromBits(up_[0].load(std::memory_order_relaxed)); }
  void SetUp(Part part, ReplicaId id, bool up);

  // Replicas that bear no more: new clients go to others while there are others.
  ReplicaSet overloaded() const { return ReplicaSet::FromBits(overloaded_.load(std::memory_order_relaxed)); }
  void SetOverloaded(ReplicaId id, bool overloaded);

  // Director to prober; zero while unknown.
  Rtt control_rtt(ReplicaId id) const {
    return Rtt(control_rtt_us_[Index(id)].load(std::memory_order_relaxed));
  }
  void SetControlRtt(ReplicaId id, Rtt rtt);

  // Replica to replica; zero while unknown.
  ReplicaDistances distances() const;
  void SetDistance(ReplicaId a, ReplicaId b, Rtt rtt);

 private:
  const std::vector<ReplicaInfo> replicas_;
  std::array<std::atomic<uint64_t>, 2> up_;  // by Part
  std::atomic<uint64_t> overloaded_{0};
  std::vector<std::atomic<int64_t>> control_rtt_us_;
  std::vector<std::atomic<int64_t>> distance_us_;  // [a * size + b], a < b
};

}  // namespace perigee::dns
