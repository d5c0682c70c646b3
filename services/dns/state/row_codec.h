// A row of the map as the state file keeps it: without the fleet's order and without the process's clock.
//
//   octet 0      bits 0-6 prefix length, bit 7 IPv4
//   1…8          the prefix's first 64 bits
//   9, 10        number of the decided replica
//   11           reason
//   12…15        measured at, in seconds of wall time since 1970
//   16…          per replica that was asked: number (2), bits 28-31 method and 0-27 RTT in microseconds (4)
//
// All numbers are big-endian. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "lib/base/address.h"
#include "lib/base/clock.h"
#include "services/dns/map/rtt_map.h"

namespace perigee::dns {

// Of a replica's name in the state file. At most kMaxReplicaNumbers names are remembered.
using ReplicaNumber = uint16_t;
inline constexpr size_t kMaxReplicaNumbers = 4 * kMaxReplicas;

// The same moment on both clocks.
struct ClockPair {
  MonoTime mono;
  WallTime wall;
};

// `numbers`: by ReplicaId.
void EncodeRow(const IpPrefix& prefix, const MapRow& row, std::span<const ReplicaNumber> numbers,
               const ClockPair& now, std::string* out);

// `replicas`: how many the fleet has. `ids`: by ReplicaNumber; those of replicas that are not in the fleet
// are empty, and what is known of them is dropped. A row whose decided replica is gone is decided anew by
// what is left. Nothing when nothing is left, or when the octets make no sense. A time in the future, for the
// wall clock was set back, counts as now.
struct StoredRow {
  IpPrefix prefix;
  MapRow row;
};
std::optional<StoredRow> DecodeRow(std::string_view data, size_t replicas,
                                   std::span<const std::optional<ReplicaId>> ids, const ClockPair& now);

}  // namespace perigee::dns
