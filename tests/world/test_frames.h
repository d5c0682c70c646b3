// Frames for the tests of the fabric, byte by byte.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "lib/base/address.h"

namespace perigee::world {

using Bytes = std::vector<uint8_t>;

inline Bytes Ethernet(uint16_t type, const Bytes& payload) {
  Bytes frame = {0x02, 0x70, 0x67, 0xff, 0xff, 0xff,   // to the router
                 0x02, 0x70, 0x67, 0x00, 0x00, 0x07};  // from a host
  frame.push_back(static_cast<uint8_t>(type >> 8));
  frame.push_back(static_cast<uint8_t>(type));
  frame.insert(frame.end(), payload.begin(), payload.end());
  return frame;
}

// An IPv4 packet with `payload` as its `protocol`.
inline Bytes Ipv4(std::string_view to, uint8_t protocol, const Bytes& payload) {
  Bytes packet = {0x45, 0, 0, 0, 0, 1, 0, 0, 64, protocol, 0, 0, 198, 18, 1, 10};
  const IpAddress target = *IpAddress::Parse(to);
  packet.insert(packet.end(), target.bytes().begin(), target.bytes().end());
  packet.insert(packet.end(), payload.begin(), payload.end());
  packet[3] = static_cast<uint8_t>(packet.size());
  return Ethernet(0x0800, packet);
}

inline Bytes Ipv6(std::string_view from, std::string_view to, uint8_t next_header, const Bytes& payload) {
  Bytes packet = {0x60, 0, 0, 0, 0, static_cast<uint8_t>(payload.size()), next_header, 255};
  for (const std::string_view text : {from, to}) {
    const IpAddress address = *IpAddress::Parse(text);
    packet.insert(packet.end(), address.bytes().begin(), address.bytes().end());
  }
  packet.insert(packet.end(), payload.begin(), payload.end());
  return Ethernet(0x86dd, packet);
}

inline constexpr uint8_t kIcmp = 1, kTcp = 6, kUdp = 17, kIcmpv6 = 58;
inline const Bytes kEcho4 = {8, 0, 0, 0, 0, 1, 0, 1}, kEcho6 = {128, 0, 0, 0, 0, 1, 0, 1};

}  // namespace perigee::world
