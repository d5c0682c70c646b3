// Ethernet frames as the emulator sees them: where a packet goes, and the answers to "who has that address".
//
// RFC 826 (ARP), RFC 4861 §4.3–4.4 and §7.2 (neighbour discovery), RFC 791, RFC 8200, RFC 792, RFC 4443.
// Pure functions on bytes; anything malformed is kOther. Thread-safe.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "lib/base/address.h"

namespace perigee::world {

inline constexpr size_t kEthernetHeader = 14;
inline constexpr size_t kMtu = 1500;
inline constexpr size_t kMaxFrame = kEthernetHeader + kMtu;

using MacAddress = std::array<uint8_t, 6>;

// The one neighbour that every host sees: locally administered, as are the hosts' (see HostMac).
inline constexpr MacAddress kRouterMac = {0x02, 0x70, 0x67, 0xff, 0xff, 0xff};

// The address of the interface of the host at `index`.
MacAddress HostMac(uint16_t index);

enum class FrameKind : uint8_t { kUnicast, kAddressQuery, kOther };

struct Frame {
  FrameKind kind = FrameKind::kOther;
  IpAddress destination;      // of kUnicast
  bool echo_request = false;  // ICMP or ICMPv6 echo request, in its first fragment
};

Frame Classify(std::span<const uint8_t> ethernet);

// What the router says to a kAddressQuery frame: that each address is at kRouterMac. Nothing when the query
// is one that must stay unanswered: gratuitous ARP and duplicate address detection.
std::optional<std::vector<uint8_t>> AnswerAddressQuery(std::span<const uint8_t> ethernet);

}  // namespace perigee::world
