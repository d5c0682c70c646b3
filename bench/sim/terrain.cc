#include "bench/sim/terrain.h"

#include <algorithm>
#include <cmath>
#include <fstream>
#include <numbers>
#include <random>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_split.h"
#include "fmt/format.h"

namespace perigee::sim {
namespace {

constexpr double kLeastDetour = 1.2, kMostDetour = 2.2, kEndsMs = 2;
constexpr double kSouthernmost = -0.7, kNorthernmost = 0.95;  // sines

// In [0, 1), the same for both directions; the finaliser of SplitMix64.
double ShareOf(size_t a, size_t b, uint64_t seed) {
  uint64_t h = (uint64_t{std::min(a, b)} << 32 | std::max(a, b)) ^ seed * 0x9e3779b97f4a7c15u;
  h = (h ^ (h >> 30)) * 0xbf58476d1ce4e5b9u;
  h = (h ^ (h >> 27)) * 0x94d049bb133111ebu;
  return static_cast<double>((h ^ (h >> 31)) >> 11) / static_cast<double>(uint64_t{1} << 53);
}

class Sphere final : public Terrain {
 public:
  Sphere(size_t places, uint64_t seed) : seed_(seed) {
    std::mt19937_64 random(seed);
    std::uniform_real_distribution<double> sine(kSouthernmost, kNorthernmost), longitude(-180, 180);
    for (size_t i = 0; i < places; ++i) {
      places_.push_back({std::asin(sine(random)) * 180 / std::numbers::pi, longitude(random)});
    }
  }

  size_t places() const override { return places_.size(); }
  std::optional<dns::Location> LocationOf(size_t place) const override { return places_[place]; }
  Rtt Between(size_t a, size_t b, size_t) const override {
    const double detour = kLeastDetour + (kMostDetour - kLeastDetour) * ShareOf(a, b, seed_);
    const auto least = static_cast<double>(dns::LeastRtt(places_[a], places_[b]).count());
    return Rtt(std::lround(detour * least + kEndsMs * 1000));
  }

 private:
  const uint64_t seed_;
  std::vector<dns::Location> places_;
};

class Hosts final : public Terrain {
 public:
  Hosts(size_t hosts, size_t moments) : hosts_(hosts), rtts_(moments, std::vector<Rtt>(hosts * hosts)) {}
  void Set(size_t a, size_t b, size_t moment, Rtt rtt) {
    rtts_[moment][a * hosts_ + b] = rtts_[moment][b * hosts_ + a] = rtt;
  }

  size_t places() const override { return hosts_; }
  size_t moments() const override { return rtts_.size(); }
  Rtt Between(size_t a, size_t b, size_t moment) const override {
    return std::max(rtts_[moment][a * hosts_ + b], Rtt(100));
  }

 private:
  const size_t hosts_;
  std::vector<std::vector<Rtt>> rtts_;  // by moment
};

struct HostsLine {
  size_t a = 0, b = 0;
  std::vector<double> ms;
};

std::optional<HostsLine> ParseHosts(const std::string& line) {
  const std::vector<std::string> words = absl::StrSplit(line, ',');
  HostsLine parsed;
  if (words.size() < 3 || !absl::SimpleAtoi(words[0], &parsed.a) || !absl::SimpleAtoi(words[1], &parsed.b))
    return std::nullopt;
  for (size_t i = 2; i < words.size(); ++i) {
    if (!absl::SimpleAtod(words[i], &parsed.ms.emplace_back())) return std::nullopt;
  }
  return parsed;
}

}  // namespace

std::unique_ptr<Terrain> MakeSphere(size_t places, uint64_t seed) {
  return std::make_unique<Sphere>(places, seed);
}

absl::StatusOr<std::unique_ptr<Terrain>> ReadHosts(const std::string& path) {
  std::ifstream file(path);
  if (!file) return absl::NotFoundError(fmt::format("cannot read {}", path));
  std::string line;
  std::getline(file, line);  // names
  std::vector<HostsLine> lines;
  size_t hosts = 0;
  for (int number = 2; std::getline(file, line); ++number) {
    auto parsed = ParseHosts(line);
    if (!parsed || (!lines.empty() && parsed->ms.size() != lines.front().ms.size())) {
      return absl::InvalidArgumentError(fmt::format("{}:{}: not 'A,B,MS,MS,…'", path, number));
    }
    hosts = std::max({hosts, parsed->a + 1, parsed->b + 1});
    lines.push_back(*std::move(parsed));
  }
  if (lines.empty()) return absl::InvalidArgumentError(fmt::format("{}: no hosts", path));
  auto terrain = std::make_unique<Hosts>(hosts, lines.front().ms.size());
  for (const auto& [a, b, ms] : lines) {
    for (size_t i = 0; i < ms.size(); ++i) terrain->Set(a, b, i, Rtt(std::lround(ms[i] * 1000)));
  }
  return terrain;
}

}  // namespace perigee::sim
