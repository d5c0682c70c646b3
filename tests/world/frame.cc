#include "tests/world/frame.h"

#include <algorithm>

namespace perigee::world {
namespace {

using Bytes = std::span<const uint8_t>;

constexpr uint16_t kTypeIpv4 = 0x0800, kTypeArp = 0x0806, kTypeIpv6 = 0x86dd;
constexpr uint8_t kProtocolIcmp = 1, kProtocolTcp = 6, kProtocolUdp = 17, kProtocolIcmpv6 = 58;
constexpr uint8_t kEchoRequest = 8, kEchoRequest6 = 128, kNeighborSolicitation = 135,
                  kNeighborAdvertisement = 136;
constexpr uint8_t kEchoReply = 0, kTimeExceeded = 11, kTimeExceeded6 = 3, kFirstInformational6 = 128;
constexpr size_t kIpv4Header = 20, kIpv6Header = 40, kArpLength = 28, kSolicitationLength = 24;
constexpr size_t kIcmpHeader = 8, kUdpHeader = 8, kTcpHeader = 20;
constexpr uint8_t kSyn = 0x02, kAck = 0x10, kRouterTtl = 64;
constexpr uint16_t kDnsPort = 53, kFirstTraceroutePort = 33434, kLastTraceroutePort = 33534;
// RFC 792 and RFC 4443 §2.4: what an error says of the packet that it is about.
constexpr size_t kQuoted4 = 8, kMostError6 = 1280;

uint16_t Read16(Bytes bytes, size_t at) { return static_cast<uint16_t>(bytes[at] << 8 | bytes[at + 1]); }

void Write16(std::span<uint8_t> bytes, size_t at, uint16_t value) {
  bytes[at] = static_cast<uint8_t>(value >> 8);
  bytes[at + 1] = static_cast<uint8_t>(value);
}

IpAddress Ipv4At(Bytes bytes, size_t at) { return IpAddress::V4(bytes.subspan(at).first<4>()); }

// What the segment or datagram of a packet wants.
Wants WantsOf(uint8_t protocol, Bytes data) {
  if (protocol == kProtocolTcp && data.size() >= kTcpHeader) {
    return (data[13] & (kSyn | kAck)) == kSyn ? Wants::kOther : Wants::kNothing;
  }
  if (protocol != kProtocolUdp || data.size() < kUdpHeader || Read16(data, 0) == kDnsPort) {
    return Wants::kNothing;
  }
  const uint16_t port = Read16(data, 2);
  return port >= kFirstTraceroutePort && port <= kLastTraceroutePort ? Wants::kOther : Wants::kNothing;
}

bool IsFirstFragment(Bytes ipv4) { return (Read16(ipv4, 6) & 0x1fff) == 0; }

size_t HeaderLength(Bytes ipv4) { return static_cast<size_t>(ipv4[0] & 15) * 4; }

Frame ClassifyIpv4(Bytes packet) {
  if (packet.size() < kIpv4Header || packet[0] >> 4 != 4) return {};
  const uint8_t first = packet[16];
  if (first >= 224 || first == 0) return {};  // multicast, broadcast, this network
  const size_t header = HeaderLength(packet);
  Frame frame{.kind = FrameKind::kUnicast, .destination = Ipv4At(packet, 16), .ttl = packet[8]};
  if (!IsFirstFragment(packet) || packet.size() <= header || header < kIpv4Header) return frame;
  const bool echo = packet[9] == kProtocolIcmp && packet[header] == kEchoRequest;
  frame.wants = echo ? Wants::kEcho : WantsOf(packet[9], packet.subspan(header));
  return frame;
}

Frame ClassifyIpv6(Bytes packet) {
  if (packet.size() < kIpv6Header || packet[0] >> 4 != 6) return {};
  const bool icmp = packet[6] == kProtocolIcmpv6 && packet.size() > kIpv6Header;
  const uint8_t type = icmp ? packet[kIpv6Header] : 0;
  if (type == kNeighborSolicitation) return {.kind = FrameKind::kAddressQuery};
  if (packet[24] == 0xff) return {};  // multicast
  return {.kind = FrameKind::kUnicast,
          .destination = IpAddress::V6(packet.subspan(24).first<16>()),
          .wants = type == kEchoRequest6 ? Wants::kEcho : WantsOf(packet[6], packet.subspan(kIpv6Header)),
          .ttl = packet[7]};
}

std::vector<uint8_t> Reply(Bytes query, size_t payload) {
  std::vector<uint8_t> reply(kEthernetHeader + payload);
  std::copy_n(query.begin() + 6, 6, reply.begin());
  std::copy(kRouterMac.begin(), kRouterMac.end(), reply.begin() + 6);
  std::copy_n(query.begin() + 12, 2, reply.begin() + 12);
  return reply;
}

std::optional<std::vector<uint8_t>> AnswerArp(Bytes query) {
  const Bytes arp = query.subspan(kEthernetHeader);
  const bool request = arp.size() >= kArpLength && Read16(arp, 6) == 1;
  const bool gratuitous = request && std::equal(&arp[14], &arp[18], &arp[24]);
  if (!request || gratuitous) return std::nullopt;
  std::vector<uint8_t> reply = Reply(query, kArpLength);
  const auto out = std::span(reply).subspan(kEthernetHeader);
  std::copy_n(arp.begin(), 8, out.begin());
  Write16(out, 6, 2);
  std::copy(kRouterMac.begin(), kRouterMac.end(), out.begin() + 8);
  std::copy_n(arp.begin() + 24, 4, out.begin() + 14);
  std::copy_n(arp.begin() + 8, 10, out.begin() + 18);
  return reply;
}

uint32_t Sum(Bytes bytes) {
  uint32_t sum = 0;
  for (size_t i = 0; i + 1 < bytes.size(); i += 2) sum += Read16(bytes, i);
  if (bytes.size() % 2 != 0) sum += static_cast<uint32_t>(bytes.back()) << 8;
  return sum;
}

// RFC 1071.
uint16_t Checksum(uint32_t sum) {
  while (sum >> 16 != 0) sum = (sum & 0xffff) + (sum >> 16);
  return static_cast<uint16_t>(~sum);
}

// Over the pseudo-header of RFC 8200 §8.1 and the message.
uint16_t Icmpv6Checksum(Bytes packet) {
  const Bytes message = packet.subspan(kIpv6Header);
  return Checksum(static_cast<uint32_t>(message.size()) + kProtocolIcmpv6 + Sum(packet.subspan(8, 32)) +
                  Sum(message));
}

std::optional<std::vector<uint8_t>> AnswerSolicitation(Bytes query) {
  static constexpr size_t kAdvertisementLength = 32;  // with the target link-layer address option
  const Bytes packet = query.subspan(kEthernetHeader);
  if (packet.size() < kIpv6Header + kSolicitationLength) return std::nullopt;
  const Bytes source = packet.subspan(8, 16), target = packet.subspan(kIpv6Header + 8, 16);
  const bool detection = std::all_of(source.begin(), source.end(), [](uint8_t b) { return b == 0; });
  if (detection) return std::nullopt;

  std::vector<uint8_t> reply = Reply(query, kIpv6Header + kAdvertisementLength);
  const auto out = std::span(reply).subspan(kEthernetHeader);
  out[0] = 0x60;
  Write16(out, 4, kAdvertisementLength);
  out[6] = kProtocolIcmpv6;
  out[7] = 255;
  std::copy(target.begin(), target.end(), out.begin() + 8);
  std::copy(source.begin(), source.end(), out.begin() + 24);
  const auto message = out.subspan(kIpv6Header);
  message[0] = kNeighborAdvertisement;
  message[4] = 0xe0;  // router, solicited, override
  std::copy(target.begin(), target.end(), message.begin() + 8);
  message[24] = 2;  // option: target link-layer address
  message[25] = 1;  // its length, in units of 8 octets
  std::copy(kRouterMac.begin(), kRouterMac.end(), message.begin() + 26);
  Write16(message, 2, Icmpv6Checksum(out));
  return reply;
}

std::optional<std::vector<uint8_t>> TimeExceeded4(Bytes frame, const IpAddress& router) {
  const Bytes packet = frame.subspan(kEthernetHeader);
  const size_t header = HeaderLength(packet);
  if (header < kIpv4Header || packet.size() <= header || !IsFirstFragment(packet)) return std::nullopt;
  const bool echo = packet[header] == kEchoRequest || packet[header] == kEchoReply;
  if (packet[9] == kProtocolIcmp && !echo) return std::nullopt;
  const size_t quoted = std::min(packet.size(), header + kQuoted4);

  std::vector<uint8_t> reply = Reply(frame, kIpv4Header + kIcmpHeader + quoted);
  const auto out = std::span(reply).subspan(kEthernetHeader);
  out[0] = 0x45;
  Write16(out, 2, static_cast<uint16_t>(out.size()));
  out[8] = kRouterTtl;
  out[9] = kProtocolIcmp;
  std::copy(router.bytes().begin(), router.bytes().end(), out.begin() + 12);
  std::copy_n(packet.begin() + 12, 4, out.begin() + 16);
  Write16(out, 10, Checksum(Sum(out.first(kIpv4Header))));
  const auto message = out.subspan(kIpv4Header);
  message[0] = kTimeExceeded;
  std::copy_n(packet.begin(), quoted, message.begin() + kIcmpHeader);
  Write16(message, 2, Checksum(Sum(message)));
  return reply;
}

std::optional<std::vector<uint8_t>> TimeExceeded6(Bytes frame, const IpAddress& router) {
  const Bytes packet = frame.subspan(kEthernetHeader);
  if (packet.size() <= kIpv6Header) return std::nullopt;
  if (packet[6] == kProtocolIcmpv6 && packet[kIpv6Header] < kFirstInformational6) return std::nullopt;
  const size_t quoted = std::min(packet.size(), kMostError6 - kIpv6Header - kIcmpHeader);

  std::vector<uint8_t> reply = Reply(frame, kIpv6Header + kIcmpHeader + quoted);
  const auto out = std::span(reply).subspan(kEthernetHeader);
  out[0] = 0x60;
  Write16(out, 4, static_cast<uint16_t>(kIcmpHeader + quoted));
  out[6] = kProtocolIcmpv6;
  out[7] = kRouterTtl;
  std::copy(router.bytes().begin(), router.bytes().end(), out.begin() + 8);
  std::copy_n(packet.begin() + 8, 16, out.begin() + 24);
  const auto message = out.subspan(kIpv6Header);
  message[0] = kTimeExceeded6;
  std::copy_n(packet.begin(), quoted, message.begin() + kIcmpHeader);
  Write16(message, 2, Icmpv6Checksum(out));
  return reply;
}

}  // namespace

MacAddress HostMac(uint16_t index) {
  return {0x02, 0x70, 0x67, 0x00, static_cast<uint8_t>(index >> 8), static_cast<uint8_t>(index)};
}

Frame Classify(Bytes ethernet) {
  if (ethernet.size() < kEthernetHeader) return {};
  const Bytes payload = ethernet.subspan(kEthernetHeader);
  switch (Read16(ethernet, 12)) {
    case kTypeIpv4:
      return ClassifyIpv4(payload);
    case kTypeIpv6:
      return ClassifyIpv6(payload);
    case kTypeArp:
      return {.kind = FrameKind::kAddressQuery};
    default:
      return {};
  }
}

std::optional<std::vector<uint8_t>> AnswerAddressQuery(Bytes ethernet) {
  return Read16(ethernet, 12) == kTypeArp ? AnswerArp(ethernet) : AnswerSolicitation(ethernet);
}

std::optional<std::vector<uint8_t>> TimeExceeded(Bytes ethernet, const IpAddress& router) {
  return router.is_v4() ? TimeExceeded4(ethernet, router) : TimeExceeded6(ethernet, router);
}

}  // namespace perigee::world
