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
  EXPECT_TRUE(echo.echo_request);
  EXPECT_FALSE(Classify(Ipv4("198.18.2.10", kUdp, kEcho4)).echo_request);
  const Bytes reply = {0, 0, 0, 0, 0, 1, 0, 1};
  EXPECT_FALSE(Classify(Ipv4("198.18.2.10", kIcmp, reply)).echo_request);

  const Frame echo6 = Classify(Ipv6("fd00::1", "fd00::2", kIcmpv6, kEcho6));
  EXPECT_EQ(echo6.kind, FrameKind::kUnicast);
  EXPECT_EQ(echo6.destination.ToString(), "fd00::2");
  EXPECT_TRUE(echo6.echo_request);
}

TEST(Classify, LaterFragmentsAreNoEchoRequests) {
  Bytes fragment = Ipv4("198.18.2.10", kIcmp, kEcho4);
  fragment[kEthernetHeader + 7] = 185;
  EXPECT_EQ(Classify(fragment).kind, FrameKind::kUnicast);
  EXPECT_FALSE(Classify(fragment).echo_request);
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

}  // namespace
}  // namespace perigee::world
