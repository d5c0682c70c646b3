#include "tests/world/fabric.h"

#include <algorithm>

namespace perigee::world {

Fabric::Fabric(const World& world, uint64_t seed, FabricLimits limits)
    : limits_(limits), links_(world, seed), under_way_from_(world.hosts().size()) {
  for (size_t i = 0; i < world.hosts().size(); ++i) {
    const Host& host = world.hosts()[i];
    by_address_[host.ipv4] = static_cast<HostId>(i);
    if (host.ipv6) by_address_[*host.ipv6] = static_cast<HostId>(i);
    macs_.push_back(HostMac(static_cast<uint16_t>(i)));
  }
}

void Fabric::Receive(HostId from, std::span<const uint8_t> frame, MonoTime now) {
  const Frame parsed = Classify(frame);
  if (parsed.kind == FrameKind::kAddressQuery) {
    ++counters_.address_queries;
    if (const auto answer = AnswerAddressQuery(frame)) Enqueue(from, from, *answer, now, true);
    return;
  }
  if (parsed.kind == FrameKind::kOther || frame.size() > kMaxFrame) {
    ++counters_.not_unicast;
    return;
  }
  const auto to = by_address_.find(parsed.destination);
  if (to == by_address_.end()) {
    ++counters_.unknown_address;
    return;
  }
  if (parsed.ttl <= links_.knobs(to->second).routers) return Expire(from, to->second, parsed, frame, now);
  const Passage passage = links_.Depart(from, to->second, frame.size(), parsed.wants, now);
  ++counters_.verdicts[static_cast<size_t>(passage.verdict)];
  if (passage.verdict == Verdict::kForward) Enqueue(from, to->second, frame, passage.due, false);
}

void Fabric::Expire(HostId from, HostId to, const Frame& parsed, std::span<const uint8_t> frame,
                    MonoTime now) {
  const uint8_t hop = std::max(parsed.ttl, uint8_t{1});
  const Passage passage = links_.TurnBack(from, to, hop, frame.size(), now);
  ++counters_.verdicts[static_cast<size_t>(passage.verdict)];
  if (passage.verdict != Verdict::kExpired || links_.knobs(to).silent_routers) return;
  if (const auto said = TimeExceeded(frame, RouterAddress(to, hop, parsed.destination.is_v4()))) {
    Enqueue(from, from, *said, passage.due, false);
  }
}

void Fabric::DeliverDue(MonoTime now, absl::FunctionRef<void(HostId, std::span<const uint8_t>)> deliver) {
  while (auto waiting = queue_.PopDue(now)) {
    if (!waiting->past_downlink) {
      const auto whole = links_.Arrive(waiting->to, waiting->length, now);
      if (!whole) {
        ++counters_.verdicts[static_cast<size_t>(Verdict::kRateBacklog)];
        Release(*waiting);
        continue;
      }
      if (*whole > now) {
        waiting->past_downlink = true;
        queue_.Push(*whole, *waiting);
        continue;
      }
    }
    deliver(waiting->to, std::span(At(waiting->slot)).first(waiting->length));
    ++counters_.delivered;
    Release(*waiting);
  }
}

void Fabric::Enqueue(HostId from, HostId to, std::span<const uint8_t> frame, MonoTime due,
                     bool past_downlink) {
  if (queue_.size() >= limits_.frames_under_way || under_way_from_[Index(from)] >= limits_.frames_from_host) {
    ++counters_.queue_full;
    return;
  }
  ++under_way_from_[Index(from)];
  const uint32_t slot = TakeSlot();
  Slot& bytes = At(slot);
  std::copy(frame.begin(), frame.end(), bytes.begin());
  std::copy(macs_[Index(to)].begin(), macs_[Index(to)].end(), bytes.begin());
  queue_.Push(due, {slot, from, to, static_cast<uint16_t>(frame.size()), past_downlink});
}

uint32_t Fabric::TakeSlot() {
  if (free_slots_.empty()) {
    const auto first = static_cast<uint32_t>(slabs_.size() * kSlotsPerSlab);
    slabs_.push_back(std::make_unique_for_overwrite<Slot[]>(kSlotsPerSlab));
    for (uint32_t i = kSlotsPerSlab; i > 0; --i) free_slots_.push_back(first + i - 1);
  }
  const uint32_t slot = free_slots_.back();
  free_slots_.pop_back();
  return slot;
}

void Fabric::Release(const Waiting& waiting) {
  free_slots_.push_back(waiting.slot);
  --under_way_from_[Index(waiting.from)];
}

}  // namespace perigee::world
