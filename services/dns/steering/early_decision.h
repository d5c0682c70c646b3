// When is it safe not to wait any longer? The early decision: a pure function of the answers so far.
//
// Waiting for all replicas costs the slowest of them. Two facts rule out one that has not answered yet, when
// the best so far has round-trip time r to the client:
//
// (a) Time. Measure went out at 0 and control round trip j takes c_j. An answer that comes at t says that the
//     client is t - c_j away, less what the prober itself spent (`overhead`: the wait before its TCP rung,
//     say, estimated by the answers that came). So from t = c_j + r + overhead on, j can only be farther than
//     r. This is exact, up to the jitter of the control path, which `kControlSlack` covers.
// (b) Triangle. With d(b,j) between the best replica and j, the client is at least d - r from j. Real paths
//     break the triangle inequality by some tens of per cent, so j is ruled out only at
//     d >= kTriangleFactor * r, where 2 would be the inequality itself. Little more is enough, for what a
//     last mile adds makes r too long (`scripts/dev sim`).
//
// Answers that come after the decision still go into the map.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "lib/base/clock.h"
#include "services/dns/steering/geography.h"
#include "services/dns/steering/replica.h"

namespace perigee::dns {

inline constexpr Rtt kControlSlack = std::chrono::milliseconds(2);
inline constexpr double kTriangleFactor = 2.2;

// Round-trip times between replicas, up to half an hour; zero where not (yet) known. Symmetric use: either
// direction will do. Where none was measured, the replicas' places may tell what it is at the least.
class ReplicaDistances {
 public:
  explicit ReplicaDistances(size_t replicas) : replicas_(replicas), us_(replicas * replicas) {}

  // As measured.
  Rtt Between(ReplicaId a, ReplicaId b) const { return IsLeast(At(a, b)) ? Rtt::zero() : Rtt(At(a, b)); }
  // As measured, or else no more than it is.
  Rtt AtLeast(ReplicaId a, ReplicaId b) const { return Rtt(At(a, b) & ~kLeast); }
  // As measured, or else what it most likely is.
  Rtt Likely(ReplicaId a, ReplicaId b) const {
    return IsLeast(At(a, b)) ? LikelyRtt(AtLeast(a, b)) : Rtt(At(a, b));
  }

  void Set(ReplicaId a, ReplicaId b, Rtt rtt) { SetWord(a, b, WordOf(rtt)); }
  void SetLeast(ReplicaId a, ReplicaId b, Rtt rtt) { SetWord(a, b, WordOf(rtt) | kLeast); }

 private:
  static constexpr uint32_t kLeast = 1u << 31;
  static bool IsLeast(uint32_t word) { return word & kLeast; }
  static uint32_t WordOf(Rtt rtt) {
    return static_cast<uint32_t>(std::clamp<int64_t>(rtt.count(), 0, kLeast - 1));
  }
  uint32_t At(ReplicaId a, ReplicaId b) const { return us_[Index(a) * replicas_ + Index(b)]; }
  void SetWord(ReplicaId a, ReplicaId b, uint32_t word) {
    us_[Index(a) * replicas_ + Index(b)] = us_[Index(b) * replicas_ + Index(a)] = word;
  }

  size_t replicas_;
  std::vector<uint32_t> us_;
};

// Fact (b): with the client at `best_rtt` from `best`, `other` cannot be nearer. False where nothing is known
// of the distance.
bool RuledOutByDistance(ReplicaId best, Rtt best_rtt, ReplicaId other, const ReplicaDistances& distances);

struct FlightProgress {
  // The nearest replica that has answered, and its RTT to the client.
  ReplicaId best{};
  Rtt best_rtt{};
  // The most that any answer so far came later than its least control RTT and its measured RTT explain.
  Rtt overhead{};
  // Those that have neither answered nor failed.
  ReplicaSet outstanding;
};

// The time after the sending of Measure from which on no outstanding replica can be nearer than the best, if
// nothing more is heard until then; zero when that is so already. Nothing when it can't be known because an
// outstanding replica's control RTT is unknown (zero in `control_rtt`, indexed by replica).
std::optional<Rtt> DecidedAt(const FlightProgress& progress, std::span<const Rtt> control_rtt,
                             const ReplicaDistances& distances);

}  // namespace perigee::dns
