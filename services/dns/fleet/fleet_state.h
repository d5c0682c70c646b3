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
#include "services/dns/steering/geography.h"
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
  std::optional<Location> location;      // where the fleet file says
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
  ReplicaSet up(Part part) const;
  void SetUp(Part part, ReplicaId id, bool up) {
    SetBit(flags_[ReplicaSet::WordOf(id)].up[static_cast<size_t>(part)], id, up);
  }
  // healthy().Contains(id), and whether it is not avoided() besides: for those who ask for one replica often.
  bool IsHealthy(ReplicaId id) const { return HealthyOf(FlagsOf(id)) & ReplicaSet::BitOf(id); }
  bool IsAtEase(ReplicaId id) const {
    const Flags& flags = FlagsOf(id);
    const uint64_t avoided =
        flags.overloaded.load(std::memory_order_relaxed) | flags.distrusted.load(std::memory_order_relaxed);
    return HealthyOf(flags) & ~avoided & ReplicaSet::BitOf(id);
  }

  OperatorState operator_state(ReplicaId id) const;
  void SetOperatorState(ReplicaId id, OperatorState state);

  // Replicas that bear no more: new clients go to the next best of the others.
  ReplicaSet overloaded() const { return Load(&Flags::overloaded); }
  void SetOverloaded(ReplicaId id, bool overloaded) { SetFlag(&Flags::overloaded, id, overloaded); }

  // Replicas whose prober says what cannot be (credibility.h).
  ReplicaSet distrusted() const { return Load(&Flags::distrusted); }
  void SetDistrusted(ReplicaId id, bool distrusted) { SetFlag(&Flags::distrusted, id, distrusted); }

  // Replicas that are given clients only when there is nobody else: overloaded or distrusted.
  ReplicaSet avoided() const { return overloaded().Or(distrusted()); }

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
  // Where neither has measured the other, and it is known where both are, what it is at the least. Of n
  // replicas n * n / 2 are looked at: see DistanceView.
  ReplicaDistances distances() const { return Distances(/*longer=*/false); }
  ReplicaDistances longer_distances() const { return Distances(/*longer=*/true); }
  // Of two replicas alone, as ReplicaDistances::AtLeast has it.
  Rtt AtLeast(ReplicaId a, ReplicaId b) const;
  // As `from` measured it.
  void SetDistance(ReplicaId from, ReplicaId to, Rtt rtt);
  // To whom all replicas measure their distance: each to each, or in a large fleet to kLandmarks that are far
  // apart by their places.
  const ReplicaSet& landmarks() const { return landmarks_; }
  // Another number whenever a distance has been set.
  uint64_t distances_set() const { return distances_set_.load(std::memory_order_acquire); }

 private:
  // Of 64 replicas, a bit each. Side by side, for an answer looks at most of them for one replica.
  struct alignas(64) Flags {
    std::array<std::atomic<uint64_t>, 2> up{};  // by Part
    std::atomic<uint64_t> drained{0}, forced{0}, overloaded{0}, distrusted{0};
  };
  using Flag = std::atomic<uint64_t> Flags::*;
  // `word_of` 64 replicas' flags at a time.
  template <typename WordOf>
  ReplicaSet Collect(WordOf word_of) const;
  ReplicaSet Load(Flag flag) const;
  const Flags& FlagsOf(ReplicaId id) const { return flags_[ReplicaSet::WordOf(id)]; }
  static uint64_t HealthyOf(const Flags& flags) {
    const uint64_t in = flags.up[static_cast<size_t>(Part::kServer)].load(std::memory_order_relaxed) |
                        flags.forced.load(std::memory_order_relaxed);
    return in & ~flags.drained.load(std::memory_order_relaxed);
  }
  static bool HasBit(const std::atomic<uint64_t>& word, ReplicaId id) {
    return word.load(std::memory_order_relaxed) & ReplicaSet::BitOf(id);
  }
  static void SetBit(std::atomic<uint64_t>& word, ReplicaId id, bool to);
  void SetFlag(Flag flag, ReplicaId id, bool to) { SetBit(flags_[ReplicaSet::WordOf(id)].*flag, id, to); }
  void Inherit(const FleetState& previous);
  void InheritReplica(ReplicaId id, const FleetState& previous, ReplicaId old);
  ReplicaDistances Distances(bool longer) const;
  Rtt Distance(size_t from, size_t to) const {
    return Rtt(distance_us_[from * size() + to].load(std::memory_order_relaxed));
  }
  void Locate();

  const std::vector<ReplicaInfo> replicas_;
  std::array<Flags, ReplicaSet::kWords> flags_;
  std::vector<std::atomic<uint32_t>> load_;
  std::vector<std::atomic<int64_t>> control_rtt_us_, least_control_rtt_us_;
  std::vector<std::atomic<uint32_t>> distance_us_;  // [from * size + to], as measured
  ReplicaDistances by_place_;
  ReplicaSet landmarks_;
  std::atomic<uint64_t> distances_set_{0};
};

}  // namespace perigee::dns
