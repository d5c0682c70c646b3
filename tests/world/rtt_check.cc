#include "tests/world/rtt_check.h"

#include <algorithm>
#include <string_view>

#include "fmt/format.h"
#include "tests/world/quantities.h"
#include "tests/world/text.h"

namespace perigee::world {
namespace {

double Milliseconds(std::chrono::nanoseconds value) { return static_cast<double>(value.count()) / 1e6; }

std::chrono::nanoseconds Magnitude(std::chrono::nanoseconds value) {
  return value.count() < 0 ? -value : value;
}

}  // namespace

absl::StatusOr<CheckedWorld> ParseCheckedWorld(const std::string& hosts, const std::string& rtts) {
  CheckedWorld world;
  for (const std::string_view line : Split(hosts, '\n')) {
    const auto fields = Split(line, '\t');
    if (fields.size() != 6) return absl::InternalError(fmt::format("no host line: '{}'", line));
    const bool blocks = fields[5].find("block_icmp") != std::string_view::npos;
    world.hosts.push_back({std::string(fields[0]), std::string(fields[3]), blocks});
  }
  for (const std::string_view line : Split(rtts, '\n')) {
    const auto fields = Split(line, ' ');
    for (size_t i = 1; i < fields.size(); ++i) {
      const auto rtt = ParseMilliseconds(fields[i]);
      if (!rtt) return absl::InternalError(fmt::format("no RTT: '{}'", fields[i]));
      world.rtts.push_back(*rtt);
    }
  }
  if (world.rtts.size() != world.hosts.size() * world.hosts.size()) {
    return absl::InternalError("hosts and RTTs do not fit together");
  }
  return world;
}

std::vector<Pair> PairsToPing(const CheckedWorld& world) {
  std::vector<Pair> pairs;
  const size_t n = world.hosts.size();
  for (size_t a = 0; a < n; ++a) {
    for (size_t b = a + 1; b < n; ++b) {
      const Rtt configured = world.rtts[a * n + b];
      if (!world.hosts[b].block_icmp) {
        pairs.push_back({a, b, configured});
      } else if (!world.hosts[a].block_icmp) {
        pairs.push_back({b, a, configured});
      }
    }
  }
  return pairs;
}

void CheckReport::Received(size_t pair, std::chrono::nanoseconds rtt) {
  Tally& tally = tallies_[pair];
  ++received_;
  ++tally.count;
  tally.sum += rtt;
  tally.shortest = std::min(tally.shortest, rtt);
  tally.worst = std::max(tally.worst, Magnitude(rtt - pairs_[pair].configured));
}

std::chrono::nanoseconds CheckReport::ErrorOf(size_t pair) const {
  const Tally& tally = tallies_[pair];
  if (tally.count == 0) return kMaxRtt;
  return Magnitude(tally.sum / tally.count - pairs_[pair].configured);
}

std::chrono::nanoseconds CheckReport::ShortestErrorOf(size_t pair) const {
  return Magnitude(tallies_[pair].shortest - pairs_[pair].configured);
}

std::chrono::nanoseconds CheckReport::MeanError() const { return MeanOverPairs(&CheckReport::ErrorOf); }

std::chrono::nanoseconds CheckReport::ShortestError() const {
  return MeanOverPairs(&CheckReport::ShortestErrorOf);
}

std::chrono::nanoseconds CheckReport::MeanOverPairs(ErrorOfPair error) const {
  if (pairs_.empty()) return {};
  std::chrono::nanoseconds sum{};
  for (size_t i = 0; i < pairs_.size(); ++i) sum += (this->*error)(i);
  return sum / static_cast<int64_t>(pairs_.size());
}

std::string CheckReport::Summary(const CheckedWorld& world) const {
  if (pairs_.empty()) return "no two hosts of which one answers pings";
  size_t worst_pair = 0, worst_packet = 0;
  for (size_t i = 0; i < pairs_.size(); ++i) {
    if (ErrorOf(i) > ErrorOf(worst_pair)) worst_pair = i;
    if (tallies_[i].worst > tallies_[worst_packet].worst) worst_packet = i;
  }
  const auto name = [&](size_t pair) {
    return fmt::format("{} - {}", world.hosts[pairs_[pair].from].name, world.hosts[pairs_[pair].to].name);
  };
  return fmt::format(
      "{} pairs, {} echoes, {} without an answer; error: of the shortest answers {:.3f} ms, "
      "mean {:.3f} ms, worst pair {:.3f} ms ({}), worst packet {:.3f} ms ({})",
      pairs_.size(), sent_, sent_ - received_, Milliseconds(ShortestError()), Milliseconds(MeanError()),
      Milliseconds(ErrorOf(worst_pair)), name(worst_pair), Milliseconds(tallies_[worst_packet].worst),
      name(worst_packet));
}

}  // namespace perigee::world
