// The emulated Internet without its devices: frames and the time go in, frames come out when they are due.
//
// Frames that wait are kept in slabs of fixed-size slots that are made as they are needed and reused. A
// frame beyond the limits is dropped and counted. Not thread-safe.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/functional/function_ref.h"
#include "tests/world/delay_queue.h"
#include "tests/world/frame.h"
#include "tests/world/link_state.h"

namespace perigee::world {

struct FabricLimits {
  // 400 MB of full frames: 21 Gbit/s on a path of 150 ms one way.
  size_t frames_under_way = 262'144;
  // From one sender: 1 Gbit/s at an RTT of 780 ms.
  size_t frames_from_host = 32'768;
};

// What became of the frames received so far.
struct Counters {
  uint64_t delivered = 0;
  std::array<uint64_t, kVerdictNames.size()> verdicts{};
  uint64_t queue_full = 0;       // over one of the limits
  uint64_t unknown_address = 0;  // no host has the destination
  uint64_t not_unicast = 0;      // multicast, broadcast, malformed or no IP at all
  uint64_t address_queries = 0;  // ARP and neighbour discovery
};

class Fabric {
 public:
  Fabric(const World& world, uint64_t seed, FabricLimits limits = {});

  // A host sends a frame of at most kMaxFrame bytes; it is copied.
  void Receive(HostId from, std::span<const uint8_t> frame, MonoTime now);

  // Hands over all that is due by `now`, in the order in which it is due.
  void DeliverDue(MonoTime now, absl::FunctionRef<void(HostId, std::span<const uint8_t>)> deliver);

  // When DeliverDue has something to do again.
  std::optional<MonoTime> NextDue() const { return queue_.NextDue(); }

  LinkState& links() { return links_; }
  const LinkState& links() const { return links_; }
  const Counters& counters() const { return counters_; }
  size_t frames_under_way() const { return queue_.size(); }

 private:
  struct Waiting {
    uint32_t slot;
    HostId from, to;
    uint16_t length;
    bool past_downlink;
  };

  static constexpr size_t kSlotsPerSlab = 256;
  using Slot = std::array<uint8_t, kMaxFrame>;

  void Expire(HostId from, HostId to, const Frame& parsed, std::span<const uint8_t> frame, MonoTime now);
  void Enqueue(HostId from, HostId to, std::span<const uint8_t> frame, MonoTime due, bool past_downlink);
  Slot& At(uint32_t slot) { return slabs_[slot / kSlotsPerSlab][slot % kSlotsPerSlab]; }
  uint32_t TakeSlot();
  void Release(const Waiting& waiting);

  FabricLimits limits_;
  LinkState links_;
  absl::flat_hash_map<IpAddress, HostId> by_address_;
  DelayQueue<Waiting> queue_;
  std::vector<std::unique_ptr<Slot[]>> slabs_;
  std::vector<uint32_t> free_slots_;
  std::vector<uint32_t> under_way_from_;  // by sender
  std::vector<MacAddress> macs_;
  Counters counters_;
};

}  // namespace perigee::world
