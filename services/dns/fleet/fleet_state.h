// What the director knows of each replica right now: is it healthy, how far is its prober, how loaded is it,
// how far are the replicas from each other, and what did an operator say of it. Written by the heartbeat, the
// load watch, the distance survey and the operator, read by everyone.
//
// Thread-safe; no call waits for another.
#pragma once

#include <array>
#include <atomic>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "lib/base/address.h"
#include "lib/base/clock.h"
#include "services/dns/steering/early_decision.h"
#include "services/dns/steering/replica.h"

namespace perigee::dns {

// A replica of the fleet file; fixed while this fleet is served.
struct ReplicaInfo {
  std::string name;
  std::optional<IpAddress> ipv4, ipv6;  // what clients are given; at least one
  uint16_t http_port = 0;
  IpEndpoint prober;   // control port of its prober
  IpEndpoint control;  // control port of its httpserver
  uint32_t weight = 100;
  uint32_t max_requests_per_second = 0;  // 0: no limit
};

// Both parts of a replica, as the heartbeat sees them.
enum class Part : uint8_t { kProber = 0, kServer = 1 };

// What an operator says of a replica. The words are those of director.proto, with the same numbers.
enum class OperatorState : uint8_t { kAuto = 0, kDrain = 1, kForceUp = 2 };
std::string_view Word(OperatorState state);  // "auto", "drain", "force-up"

// Pure: whether a replica bears no more. Above its limit it is overloaded, and stays so until it is below
// nine tenths of it, so that clients don't swing to and fro. No limit (0): never.
bool IsOverloaded(uint32_t requests_per_second, uint32_t limit, bool was_overloaded);

class FleetState {
 public:
  // 1 to kMaxReplicas replicas. Until the heartbeat knows better, all are healthy and their distances
  // unknown; but of the replicas that `previous` has too it takes over what is known: an operator's state by
  // name; health, control RTT, load, trust and distances only where the addresses are the same too.
  explicit FleetState(std::vector<ReplicaInfo> replicas, const FleetState* previous = nullptr);

  size_t size() const { return replicas_.size(); }
  const ReplicaInfo& info(ReplicaId id) const { return replicas_[Index(id)]; }

  // By name; nothing when there is none.
  std::optional<ReplicaId> Find(std::string_view name) const;

  // Replicas that may be sent clients: their httpserver is up or an operator forces it, and no operator
  // drains it. A replica whose prober alone is down still serves those that it is known to be near to.
  ReplicaSet healthy() const;
  // Replicas whose prober can be asked, drained or not.
  ReplicaSet measurable() const { return up(Part::kProber); }
  // As the heartbeat alone sees it.
  ReplicaSet up(Part part) const { return Load(up_[static_cast<size_t>(part)]); }
  void SetUp(Part part, ReplicaId id, bool up) { SetBit(up_[static_cast<size_t>(part)], id, up); }

  OperatorState operator_state(ReplicaId id) const;
  void SetOperatorState(ReplicaId id, OperatorState state);

  // Replicas that bear no more: new clients go to the next best of the others.
  ReplicaSet overloaded() const { return Load(overloaded_); }
  void SetOverloaded(ReplicaId id, bool overloaded) { SetBit(overloaded_, id, overloaded); }

  // Replicas whose prober says what cannot be (credibility.h).
  ReplicaSet distrusted() const { return Load(distrusted_); }
  void SetDistrusted(ReplicaId id, bool distrusted) { SetBit(distrusted_, id, distrusted); }

  // Replicas that are given clients only when there is nobody else: overloaded or distrusted.
  ReplicaSet avoided() const { return ReplicaSet::FromBits(overloaded().bits() | distrusted().bits()); }

  // Requests per second, as last reported; 0 while unknown. Setting it sets `overloaded` too. Set by one
  // thread.
  uint32_t load(ReplicaId id) const { return load_[Index(id)].load(std::memory_order_relaxed); }
  void SetLoad(ReplicaId id, uint32_t requests_per_second);

  // Director to prober; zero while unknown.
  Rtt control_rtt(ReplicaId id) const {
    return Rtt(control_rtt_us_[Index(id)].load(std::memory_order_relaxed));
  }
  // The least that it takes, where control_rtt is the most.
  Rtt least_control_rtt(ReplicaId id) const {
    return Rtt(least_control_rtt_us_[Index(id)].load(std::memory_order_relaxed));
  }
  void SetControlRtt(ReplicaId id, Rtt most, Rtt least);
  void SetControlRtt(ReplicaId id, Rtt rtt) { SetControlRtt(id, rtt, rtt); }

  // Replica to replica; zero while unknown. Each of two measures the other, and the shorter time is nearer to
  // the truth; the longer one is the one that a single liar cannot have shortened.
  ReplicaDistances distances() const { return Distances(/*longer=*/false); }
  ReplicaDistances longer_distances() const { return Distances(/*longer=*/true); }
  // As `from` measured it.
  void SetDistance(ReplicaId from, ReplicaId to, Rtt rtt);

 private:
  using Bits = std::atomic<uint64_t>;
  static ReplicaSet Load(const Bits& bits) {
    return ReplicaSet::FromBits(bits.load(std::memory_order_relaxed));
  }
  static void SetBit(Bits& bits, ReplicaId id, bool to);
  void Inherit(const FleetState& previous);
  void InheritReplica(ReplicaId id, const FleetState& previous, ReplicaId old);
  ReplicaDistances Distances(bool longer) const;
  Rtt Distance(size_t from, size_t to) const {
    return Rtt(distance_us_[from * size() + to].load(std::memory_order_relaxed));
  }

  const std::vector<ReplicaInfo> replicas_;
  std::array<Bits, 2> up_;  // by Part
  Bits drained_{0}, forced_{0}, overloaded_{0}, distrusted_{0};
  std::vector<std::atomic<uint32_t>> load_;
  std::vector<std::atomic<int64_t>> control_rtt_us_, least_control_rtt_us_;
  std::vector<std::atomic<int64_t>> distance_us_;  // [from * size + to]
};

}  // namespace perigee::dns
