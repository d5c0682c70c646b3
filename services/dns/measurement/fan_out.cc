#include "services/dns/measurement/fan_out.h"

#include <algorithm>
#include <span>

#include "services/dns/steering/refinement.h"
#include "services/dns/steering/selector.h"

namespace perigee::dns {
namespace {

ReplicaSet KnownOf(const ReplicaSet& replicas, std::span<const Sample> samples) {
  ReplicaSet known;
  for (const ReplicaId id : replicas) {
    if (samples[Index(id)].method != Method::kUnknown) known.Add(id);
  }
  return known;
}

}  // namespace

ReplicaSet FanOut::First(Flight& flight, const ReplicaSet& askable) {
  if (flight.cause() == FlightCause::kRefinement || IsWhole(askable)) return askable;
  const MapRow own = rows_.Own(flight.prefix()), around = rows_.Around(flight.prefix());
  const Samples placed = rows_.ByPlace(flight.prefix());
  const Acquaintance known{.own = rows_.SamplesOf(own),
                           .around = rows_.SamplesOf(around),
                           .by_place = placed,
                           .home = flight.home()};
  const ReplicaSet first =
      FirstToAsk(known, askable, fleet_.landmarks(), max_asked_ / 2, distances_.shorter());
  flight.Reserve(askable.Without(first), KnownOf(first, known.own).Or(KnownOf(first, known.around)));
  return first;
}

FanOut::More FanOut::After(const Flight& flight) {
  if (flight.later().empty()) return {};
  const size_t left = max_asked_ - static_cast<size_t>(flight.asked().size());
  const ReplicaSet next =
      NextToAsk(flight.samples(), flight.later(), std::min(kAskedAtOnce, left), distances_.shorter());
  const bool is_last = next.empty() || left <= kAskedAtOnce;
  return {next, is_last ? ReplicaSet() : flight.later().Without(next)};
}

ReplicaSet FanOut::ForRefinement(const MapRow& row) {
  ReplicaSet believed = fleet_.measurable().Without(fleet_.distrusted());
  const std::span<const Sample> known = rows_.SamplesOf(row);
  if (!IsWhole(believed)) {
    const ReplicaSet likely = NextToAsk(known, believed, kAskedAtOnce, distances_.shorter());
    believed = KnownOf(believed, known).Or(likely);
  }
  return Contenders(known, believed, distances_.shorter());
}

}  // namespace perigee::dns
