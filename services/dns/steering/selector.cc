#include "services/dns/steering/selector.h"

#include <algorithm>
#include <utility>
#include <vector>

namespace perigee::dns {
namespace {

// Times that differ by no more are alike: a share of them, and what last miles add.
constexpr double kAlikeShare = 0.25, kAlikeUs = 3000;

struct Rated {
  ReplicaId id{};
  double rate = 0;
};

bool IsLess(const Rated& a, const Rated& b) { return a.rate < b.rate; }

// Adds those of the least rate, `most` of them.
void AddLeast(std::vector<Rated> rated, size_t most, ReplicaSet* to) {
  const size_t count = std::min(most, rated.size());
  std::partial_sort(rated.begin(), rated.begin() + static_cast<ptrdiff_t>(count), rated.end(), IsLess);
  for (size_t i = 0; i < count; ++i) to->Add(rated[i].id);
}

// By their RTT in microseconds.
std::vector<Rated> MeasuredOf(std::span<const Sample> samples) {
  std::vector<Rated> measured;
  for (size_t i = 0; i < samples.size(); ++i) {
    const auto us = static_cast<double>(samples[i].rtt.count());
    if (samples[i].measured() && us > 0) measured.push_back({ToReplicaId(i), us});
  }
  return measured;
}

bool AnyUnanswered(std::span<const Sample> samples) {
  return std::any_of(samples.begin(), samples.end(),
                     [](const Sample& s) { return s.method == Method::kSilent || s.is_floor(); });
}

void AddNearest(std::span<const Sample> samples, const ReplicaSet& askable, size_t most, ReplicaSet* to) {
  std::vector<Rated> measured = MeasuredOf(samples);
  std::erase_if(measured,
                [&](const Rated& each) { return !askable.Contains(each.id) || to->Contains(each.id); });
  AddLeast(std::move(measured), most, to);
}

// An order in which neighbours in the fleet file are not neighbours.
uint32_t Scattered(ReplicaId id) { return static_cast<uint32_t>(Index(id)) * 0x9e3779b1u; }

// Rates `candidates` by how unlike the client's times are to those of a client that stands next to each, as
// far as distances are known; a near replica's time says more than a far one's, for paths bend in proportion.
// Who is at no known distance to any is left out.
std::vector<Rated> ByUnlikeness(const ReplicaSet& candidates, std::span<const Rated> heard,
                                const ReplicaDistances& distances) {
  std::vector<Rated> rated;
  for (const ReplicaId id : candidates) rated.push_back({id, 0});
  std::vector<int> compared(rated.size());
  for (const auto& [from, rtt] : heard) {  // outside: the distances from one replica lie side by side
    const double alike = 1 / (kAlikeShare * rtt + kAlikeUs);
    for (size_t i = 0; i < rated.size(); ++i) {
      const Rtt distance = distances.Likely(from, rated[i].id);
      if (distance == Rtt::zero()) continue;
      const double off = (rtt - static_cast<double>(distance.count())) * alike;
      rated[i].rate += off * off;
      ++compared[i];
    }
  }
  for (size_t i = 0; i < rated.size(); ++i) {
    rated[i].rate = compared[i] == 0 ? -1 : rated[i].rate / compared[i];
  }
  std::erase_if(rated, [](const Rated& each) { return each.rate < 0; });
  return rated;
}

}  // namespace

ReplicaSet SpreadOut(const ReplicaSet& among, size_t count, const ReplicaDistances& distances) {
  struct Candidate {
    ReplicaId id{};
    Rtt nearest = Rtt::max();  // of the chosen
  };
  std::vector<Candidate> candidates;
  for (const ReplicaId id : among) candidates.push_back({id});
  ReplicaSet chosen;
  for (size_t i = 0; i < count && i < candidates.size(); ++i) {
    const auto next =
        std::max_element(candidates.begin(), candidates.end(), [](const auto& a, const auto& b) {
          return a.nearest != b.nearest ? a.nearest < b.nearest : Scattered(a.id) < Scattered(b.id);
        });
    const ReplicaId id = next->id;
    chosen.Add(id);
    next->nearest = Rtt::zero();
    for (Candidate& each : candidates) {
      const Rtt distance = distances.Likely(id, each.id);
      if (distance > Rtt::zero()) each.nearest = std::min(each.nearest, distance);
    }
  }
  return chosen;
}

ReplicaSet FirstToAsk(const Acquaintance& known, const ReplicaSet& askable, const ReplicaSet& landmarks,
                      size_t most, const ReplicaDistances& distances) {
  ReplicaSet wave;
  if (known.home && askable.Contains(*known.home)) wave.Add(*known.home);
  const auto room = [&](size_t limit) { return limit - std::min(limit, static_cast<size_t>(wave.size())); };
  AddNearest(known.own, askable, room(most / 2), &wave);
  AddNearest(known.around, askable, room(most / 2), &wave);
  AddNearest(known.by_place, askable, room(most / 2), &wave);
  wave = wave.Or(SpreadOut(landmarks.And(askable).Without(wave), room(most), distances));
  return wave.Or(SpreadOut(askable.Without(wave), room(most), distances));
}

ReplicaSet NextToAsk(std::span<const Sample> heard, const ReplicaSet& askable, size_t most,
                     const ReplicaDistances& distances) {
  const std::vector<Rated> measured = MeasuredOf(heard);
  if (measured.empty()) return AnyUnanswered(heard) ? ReplicaSet() : SpreadOut(askable, most, distances);
  const ReplicaId best = std::min_element(measured.begin(), measured.end(), IsLess)->id;
  ReplicaSet candidates;
  for (const ReplicaId id : askable) {
    const bool ruled_out = RuledOutByDistance(best, heard[Index(best)].rtt, id, distances);
    if (heard[Index(id)].method == Method::kUnknown && !ruled_out) candidates.Add(id);
  }
  ReplicaSet next;
  AddLeast(ByUnlikeness(candidates, measured, distances), most, &next);
  return next;
}

}  // namespace perigee::dns
