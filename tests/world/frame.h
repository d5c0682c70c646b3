// Ethernet frames as the emulator sees them: where a packet goes, and the answers to "who has that address".
//
// And what a router says when a packet's time to live has run out.
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

// What a packet wants of a host that has not asked for it.
enum class Wants : uint8_t {
  kNothing,
  kEcho,   // ICMP or ICMPv6 echo request, in its first fragment
  kOther,  // a SYN that opens a connection, or a datagram to a traceroute's ports that is no DNS answer
};

struct Frame {
  FrameKind kind = FrameKind::kOther;
  IpAddress destination;  // of kUnicast, as are the others
  Wants wants = Wants::kNothing;
  uint8_t ttl = 0;  // hop limit, in IPv6
};

Frame Classify(std::span<const uint8_t> ethernet);

// What the router says to a kAddressQuery frame: that each address is at kRouterMac. Nothing when the query
// is one that must stay unanswered: gratuitous ARP and duplicate address detection.
std::optional<std::vector<uint8_t>> AnswerAddressQuery(std::span<const uint8_t> ethernet);

// What `router`, of the packet's family, tells the sender of a kUnicast frame: time exceeded in transit
// (RFC 792, RFC 4443 §3.3). Nothing when the packet may not be answered so: an ICMP error, a later fragment.
std::optional<std::vector<uint8_t>> TimeExceeded(std::span<const uint8_t> ethernet, const IpAddress& router);

}  // namespace perigee::world
