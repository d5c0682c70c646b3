#include "tests/world/frame.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/world/test_frames.h"

namespace perigee::world {
namespace {

TEST(Classify, FindsTheDestinationAndEchoRequests) {
  const Frame echo = Classify(Ipv4("198.18.2.10", kIcmp, kEcho4));
  EXPECT_EQ(echo.kind, FrameKind::kUnicast);
  EXPECT_EQ(echo.destination.ToString(), "198.18.2.10");
  EXPECT_EQ(echo.wants, Wants::kEcho);
  EXPECT_EQ(echo.ttl, 64);
  EXPECT_EQ(Classify(Ipv4("198.18.2.10", kUdp, kEcho4)).wants, Wants::kNothing);
  const Bytes reply = {0, 0, 0, 0, 0, 1, 0, 1};
  EXPECT_EQ(Classify(Ipv4("198.18.2.10", kIcmp, reply)).wants, Wants::kNothing);

  const Frame echo6 = Classify(Ipv6("fd00::1", "fd00::2", kIcmpv6, kEcho6));
  EXPECT_EQ(echo6.kind, FrameKind::kUnicast);
  EXPECT_EQ(echo6.destination.ToString(), "fd00::2");
  EXPECT_EQ(echo6.wants, Wants::kEcho);
  EXPECT_EQ(echo6.ttl, 255);
}

TEST(Classify, LaterFragmentsAreNoEchoRequests) {
  Bytes fragment = Ipv4("198.18.2.10", kIcmp, kEcho4);
  fragment[kEthernetHeader + 7] = 185;
  EXPECT_EQ(Classify(fragment).kind, FrameKind::kUnicast);
  EXPECT_EQ(Classify(fragment).wants, Wants::kNothing);
}

const Bytes kSegment = {0x30, 0x39, 0,    80,   0,    0,    0, 1, 0, 0,
                        0,    0,    0x50, 0x02, 0xff, 0xff, 0, 0, 0, 0};  // a SYN
const Bytes kTrace = {0x30, 0x39, 0x82, 0x9e, 0, 9, 0, 0, 7};             // a datagram to port 33438

TEST(Classify, FindsWhatAHostHasNotAskedFor) {
  EXPECT_EQ(Classify(Ipv4("198.18.2.10", kTcp, kSegment)).wants, Wants::kOther);
  EXPECT_EQ(Classify(Ipv6("fd00::1", "fd00::2", kTcp, kSegment)).wants, Wants::kOther);
  Bytes answer = kSegment;
  answer[13] = 0x12;
  EXPECT_EQ(Classify(Ipv4("198.18.2.10", kTcp, answer)).wants, Wants::kNothing);
  EXPECT_EQ(Classify(Ipv4("198.18.2.10", kUdp, kTrace)).wants, Wants::kOther);
  Bytes dns = kTrace;
  dns[0] = 0;
  dns[1] = 53;
  EXPECT_EQ(Classify(Ipv4("198.18.2.10", kUdp, dns)).wants, Wants::kNothing) << "an answer to a high port";
  Bytes elsewhere = kTrace;
  elsewhere[2] = 0x83;
  EXPECT_EQ(Classify(Ipv4("198.18.2.10", kUdp, elsewhere)).wants, Wants::kNothing);
}

TEST(Classify, MulticastBroadcastAndUnknownTypesGoNowhere) {
  EXPECT_EQ(Classify(Ipv4("224.0.0.251", kUdp, {})).kind, FrameKind::kOther);
  EXPECT_EQ(Classify(Ipv4("255.255.255.255", kUdp, {})).kind, FrameKind::kOther);
  EXPECT_EQ(Classify(Ipv6("fd00::1", "ff02::16", kIcmpv6, {143, 0, 0, 0})).kind, FrameKind::kOther);
  EXPECT_EQ(Classify(Ethernet(0x88cc, Bytes(60))).kind, FrameKind::kOther);
}

TEST(Classify, EveryTruncationIsHarmless) {
  for (const Bytes& whole :
       {Ipv4("198.18.2.10", kIcmp, kEcho4), Ipv6("fd00::1", "fd00::2", kIcmpv6, kEcho6)}) {
    for (size_t n = 0; n < whole.size(); ++n) {
      const Bytes part(whole.begin(), whole.begin() + static_cast<ptrdiff_t>(n));
      const Frame frame = Classify(part);
      EXPECT_TRUE(frame.kind == FrameKind::kOther || n >= kEthernetHeader + 20);
    }
  }
}

const Bytes kArpRequest = Ethernet(0x0806, {0,    1,    8,    0,  6, 4, 0, 1,  // Ethernet, IPv4, request
                                            0x02, 0x70, 0x67, 0,  0, 7,        // sender
                                            198,  18,   1,    10, 0, 0, 0, 0, 0, 0,  // sender, target unknown
                                            198,  18,   0,    1});                   // target

TEST(AnswerAddressQuery, ArpIsAnsweredWithTheRoutersAddress) {
  ASSERT_EQ(Classify(kArpRequest).kind, FrameKind::kAddressQuery);
  const auto reply = AnswerAddressQuery(kArpRequest);
  ASSERT_TRUE(reply);
  EXPECT_THAT(*reply, testing::ElementsAreArray(
                          Bytes{0x02, 0x70, 0x67, 0,    0,    7,                 // to who asked
                                0x02, 0x70, 0x67, 0xff, 0xff, 0xff, 0x08, 0x06,  // from the router
                                0,    1,    8,    0,    6,    4,    0,    2,     // reply
                                0x02, 0x70, 0x67, 0xff, 0xff, 0xff, 198,  18,   0, 1,
                                0x02, 0x70, 0x67, 0,    0,    7,    198,  18,   1, 10}));
}

TEST(AnswerAddressQuery, GratuitousArpAndRepliesStayUnanswered) {
  Bytes gratuitous = kArpRequest;
  std::copy_n(&gratuitous[kEthernetHeader + 14], 4, &gratuitous[kEthernetHeader + 24]);
  EXPECT_FALSE(AnswerAddressQuery(gratuitous));
  Bytes reply = kArpRequest;
  reply[kEthernetHeader + 7] = 2;
  EXPECT_FALSE(AnswerAddressQuery(reply));
  for (size_t n = kEthernetHeader; n < kArpRequest.size(); ++n) {
    EXPECT_FALSE(
        AnswerAddressQuery(Bytes(kArpRequest.begin(), kArpRequest.begin() + static_cast<ptrdiff_t>(n))));
  }
}

Bytes Solicitation(std::string_view from) {
  Bytes message = {135, 0, 0, 0, 0, 0, 0, 0};
  const IpAddress target = *IpAddress::Parse("fe80::1");
  message.insert(message.end(), target.bytes().begin(), target.bytes().end());
  return Ipv6(from, "ff02::1:ff00:1", kIcmpv6, message);
}

TEST(AnswerAddressQuery, NeighbourSolicitationIsAnsweredWithAValidAdvertisement) {
  const Bytes query = Solicitation("fd00::8");
  ASSERT_EQ(Classify(query).kind, FrameKind::kAddressQuery);
  const auto reply = AnswerAddressQuery(query);
  ASSERT_TRUE(reply);
  const auto packet = std::span(*reply).subspan(kEthernetHeader);
  EXPECT_EQ(IpAddress::V6(packet.subspan(8).first<16>()).ToString(), "fe80::1");
  EXPECT_EQ(IpAddress::V6(packet.subspan(24).first<16>()).ToString(), "fd00::8");
  EXPECT_EQ(packet[40], 136);
  EXPECT_EQ(Bytes(packet.end() - 6, packet.end()), Bytes(kRouterMac.begin(), kRouterMac.end()));
  // With its checksum in place the sum over pseudo-header and message is all ones (RFC 1071).
  uint32_t sum = 32 + 58;
  for (size_t i = 8; i < packet.size(); i += 2) sum += static_cast<uint32_t>(packet[i] << 8 | packet[i + 1]);
  while (sum >> 16 != 0) sum = (sum & 0xffff) + (sum >> 16);
  EXPECT_EQ(sum, 0xffffu);
}

TEST(AnswerAddressQuery, DuplicateAddressDetectionStaysUnanswered) {
  EXPECT_FALSE(AnswerAddressQuery(Solicitation("::")));
}

// The sum of RFC 1071 over `bytes`, after `sum`: all ones where a checksum is right.
uint32_t Sum(std::span<const uint8_t> bytes, uint32_t sum) {
  for (size_t i = 0; i < bytes.size(); ++i)
    sum += i % 2 == 0 ? static_cast<uint32_t>(bytes[i] << 8) : uint32_t{bytes[i]};
  while (sum >> 16 != 0) sum = (sum & 0xffff) + (sum >> 16);
  return sum;
}

const IpAddress kRouter4 = *IpAddress::Parse("198.19.128.3"), kRouter6 = *IpAddress::Parse("fd00:ffff::3");

TEST(TimeExceeded, QuotesTheHeadOfAnIpv4PacketToItsSender) {
  const Bytes sent = Ipv4("198.18.2.10", kUdp, kTrace);
  const auto reply = TimeExceeded(sent, kRouter4);
  ASSERT_TRUE(reply);
  const auto packet = std::span(*reply).subspan(kEthernetHeader);
  ASSERT_EQ(packet.size(), 20u + 8 + 28) << "RFC 792: its header and 64 bits";
  EXPECT_EQ(Classify(*reply).destination.ToString(), "198.18.1.10");
  EXPECT_EQ(IpAddress::V4(packet.subspan(12).first<4>()), kRouter4);
  EXPECT_EQ(packet[9], kIcmp);
  EXPECT_EQ(packet[20], 11);
  EXPECT_EQ(packet[21], 0);
  EXPECT_TRUE(std::equal(packet.begin() + 28, packet.end(), sent.begin() + kEthernetHeader));
  EXPECT_EQ(Sum(packet.first(20), 0), 0xffffu);
  EXPECT_EQ(Sum(packet.subspan(20), 0), 0xffffu);
}

TEST(TimeExceeded, QuotesAnIpv6PacketAsFarAsOneMayBe) {
  for (const size_t payload : {9, 1452}) {
    Bytes datagram = kTrace;
    datagram.resize(payload);
    const Bytes sent = Ipv6("fd00::1", "fd00::2", kUdp, datagram);
    const auto reply = TimeExceeded(sent, kRouter6);
    ASSERT_TRUE(reply);
    const auto packet = std::span(*reply).subspan(kEthernetHeader);
    EXPECT_EQ(packet.size(), std::min<size_t>(1280, 40 + 8 + 40 + payload)) << "RFC 4443 §2.4";
    EXPECT_EQ(Classify(*reply).destination.ToString(), "fd00::1");
    EXPECT_EQ(packet[40], 3);
    EXPECT_TRUE(std::equal(packet.begin() + 48, packet.end(), sent.begin() + kEthernetHeader));
    const auto length = static_cast<uint32_t>(packet.size() - 40);
    EXPECT_EQ(Sum(packet.subspan(40), Sum(packet.subspan(8, 32), length + kIcmpv6)), 0xffffu);
  }
}

TEST(TimeExceeded, ErrorsAndFragmentsAreNotAnswered) {
  const Bytes unreachable = {3, 3, 0, 0, 0, 0, 0, 0}, unreachable6 = {1, 4, 0, 0, 0, 0, 0, 0};
  EXPECT_FALSE(TimeExceeded(Ipv4("198.18.2.10", kIcmp, unreachable), kRouter4));
  EXPECT_FALSE(TimeExceeded(Ipv6("fd00::1", "fd00::2", kIcmpv6, unreachable6), kRouter6));
  EXPECT_TRUE(TimeExceeded(Ipv4("198.18.2.10", kIcmp, kEcho4), kRouter4));
  EXPECT_TRUE(TimeExceeded(Ipv6("fd00::1", "fd00::2", kIcmpv6, kEcho6), kRouter6));
  Bytes fragment = Ipv4("198.18.2.10", kUdp, kTrace);
  fragment[kEthernetHeader + 7] = 185;
  EXPECT_FALSE(TimeExceeded(fragment, kRouter4));
}

TEST(TimeExceeded, EveryTruncationIsHarmless) {
  for (const Bytes& whole : {Ipv4("198.18.2.10", kUdp, kTrace), Ipv6("fd00::1", "fd00::2", kUdp, kTrace)}) {
    for (size_t n = 0; n < whole.size(); ++n) {
      const Bytes part(whole.begin(), whole.begin() + static_cast<ptrdiff_t>(n));
      const Frame frame = Classify(part);
      if (frame.kind == FrameKind::kUnicast) {
        TimeExceeded(part, frame.destination.is_v4() ? kRouter4 : kRouter6);
      }
    }
  }
}

}  // namespace
}  // namespace perigee::world
