// The probers, as the director's board sees them: each call climbs the prober's own ladder against a client
// that is made of numbers, and its answer arrives when it would.
#pragma once

#include <cstddef>
#include <deque>
#include <optional>
#include <span>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "bench/sim/clients.h"
#include "bench/sim/director.h"
#include "services/prober/ladder.h"
#include "services/prober/rung_memory.h"

namespace perigee::sim {

// What one call came to, counted from when it reached the prober.
struct ProbeResult {
  Measurement measurement;
  Rtt took{};
  uint32_t packets = 0;
};

// A client as one replica sees it.
struct Target {
  Rtt distance{};
  Answers answers = Answers::kIcmp;
  // How far the last hop is that answers, of kEdge and kSomeHop.
  Rtt floor{};
  std::span<const LastMiles::Excess> excess;
  double loss = 0;  // share of the probes that are lost
};

ProbeResult Climb(const Target& target, const LadderPlan& plan, Random& random);
// What the director hears of it.
dns::Sample SampleOf(const Measurement& measurement);

// What a liar says of every client and replica.
inline constexpr Rtt kLie{200};

class SimulatedProbers : public Probers {
 public:
  // Of all calls to one client with one probe.
  struct Watched {
    Rtt first_answer{}, last_answer{};  // when, counted from the call
    std::vector<dns::Sample> samples;   // by replica
  };

  SimulatedProbers(const Geography& geography, const LastMiles& last_miles, size_t director,
                   std::vector<size_t> replicas, const std::vector<Client>& clients, double loss,
                   const Clock& clock, Random& random);

  void Measure(uint64_t flight, dns::ReplicaId replica, const IpAddress& address, uint32_t probes,
               std::chrono::milliseconds deadline) override;

  // From here on that replica is near to everybody, by its own word.
  void Lie(dns::ReplicaId replica) { liar_ = replica; }

  // The least round trip of a connection between a client and a replica, as the kernel takes it.
  Rtt Connect(size_t client, size_t replica);

  uint64_t packets() const { return packets_; }
  // What was measured first, by client.
  const std::vector<Watched>& watched() const { return watched_; }

 private:
  Rtt FloorOf(size_t client, dns::ReplicaId replica) const;

  const Geography& geography_;
  const LastMiles& last_miles_;
  const size_t director_;
  const std::vector<size_t> replicas_;
  const std::vector<Client>& clients_;
  const double loss_;
  const Clock& clock_;
  Random& random_;
  std::optional<dns::ReplicaId> liar_;
  absl::flat_hash_map<IpAddress, size_t> by_address_;
  std::deque<RungMemory> memories_;  // by replica
  std::vector<Watched> watched_;
  uint64_t packets_ = 0;
};

}  // namespace perigee::sim
