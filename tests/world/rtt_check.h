// Does a world keep its RTTs? Every pair of hosts pings, all at the same time, and the answers are compared
// with what is configured.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "lib/base/clock.h"
#include "tests/world/world_description.h"

namespace perigee::world {

// What a check allows the shortest answers. The mean over all answers is printed beside it and says what they
// cost on this machine at this moment: whatever else runs there adds to it, so that it can't tell a broken
// emulator from a busy machine.
inline constexpr std::chrono::microseconds kMaxShortestError{500};
// All pairs together; more pairs ping less often.
inline constexpr uint32_t kMaxEchoesPerSecond = 8000;

struct CheckedHost {
  std::string name, ipv4;
  bool block_icmp = false;
};

struct CheckedWorld {
  std::vector<CheckedHost> hosts;
  std::vector<Rtt> rtts;  // hosts × hosts
};

// From the answers to `hosts` and `rtts` (control_protocol.h).
absl::StatusOr<CheckedWorld> ParseCheckedWorld(const std::string& hosts, const std::string& rtts);

// Hosts `from` pings `to`: one for each two hosts of which at least one answers.
struct Pair {
  size_t from = 0, to = 0;
  Rtt configured{};
};
std::vector<Pair> PairsToPing(const CheckedWorld& world);

// Collects the answers of all pairs. Pure.
class CheckReport {
 public:
  explicit CheckReport(std::vector<Pair> pairs) : pairs_(std::move(pairs)), tallies_(pairs_.size()) {}

  void Sent() { ++sent_; }
  void Received(size_t pair, std::chrono::nanoseconds rtt);

  size_t sent() const { return sent_; }
  size_t received() const { return received_; }
  // Over pairs, of the mean over a pair's answers; a pair that had no answer makes it kMaxRtt-sized, on
  // purpose.
  std::chrono::nanoseconds MeanError() const;
  // The same of each pair's shortest answer.
  std::chrono::nanoseconds ShortestError() const;
  std::string Summary(const CheckedWorld& world) const;

 private:
  struct Tally {
    int64_t count = 0;
    std::chrono::nanoseconds sum{}, worst{}, shortest = kMaxRtt;
  };
  std::chrono::nanoseconds ErrorOf(size_t pair) const;
  std::chrono::nanoseconds ShortestErrorOf(size_t pair) const;
  using ErrorOfPair = std::chrono::nanoseconds (CheckReport::*)(size_t) const;
  std::chrono::nanoseconds MeanOverPairs(ErrorOfPair error) const;

  std::vector<Pair> pairs_;
  std::vector<Tally> tallies_;
  size_t sent_ = 0, received_ = 0;
};

struct CheckOptions {
  std::chrono::milliseconds duration{3000};
  uint32_t echoes_per_pair_per_second = 20;  // fewer when that is over kMaxEchoesPerSecond
};

// Pings from within the hosts' namespaces; blocks for the duration and the longest RTT. Needs root.
absl::StatusOr<CheckReport> RunCheck(const CheckedWorld& world, const CheckOptions& options);

}  // namespace perigee::world
