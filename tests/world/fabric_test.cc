#include "tests/world/fabric.h"

#include <utility>
#include <vector>

#include "gtest/gtest.h"
#include "tests/world/test_frames.h"

namespace perigee::world {
namespace {

using std::chrono::milliseconds;

constexpr MonoTime kStart{std::chrono::hours(1)};
constexpr HostId kA{0}, kB{1}, kC{2};

World ThreeHosts() {
  return *ParseWorld(
      "host a client x 198.18.1.10 fd00::1\nhost b client y 198.18.2.10 fd00::2\nhost c client x "
      "198.18.3.10\n"
      "city x 10\ncity y 100 2\n",
      "test");
}

class FabricTest : public testing::Test {
 protected:
  std::vector<std::pair<HostId, Bytes>> Delivered(MonoTime now) {
    std::vector<std::pair<HostId, Bytes>> frames;
    fabric_.DeliverDue(now, [&](HostId to, std::span<const uint8_t> frame) {
      frames.emplace_back(to, Bytes(frame.begin(), frame.end()));
    });
    return frames;
  }
  uint64_t Count(Verdict verdict) const { return fabric_.counters().verdicts[static_cast<size_t>(verdict)]; }

  Fabric fabric_{ThreeHosts(), 1};
};

TEST_F(FabricTest, CarriesAFrameToItsHostWhenItIsDue) {
  const Bytes sent = Ipv4("198.18.2.10", kUdp, {1, 2, 3});
  fabric_.Receive(kA, sent, kStart);
  EXPECT_EQ(fabric_.NextDue(), kStart + milliseconds(50));
  EXPECT_TRUE(Delivered(kStart + milliseconds(49)).empty());
  const auto frames = Delivered(kStart + milliseconds(50));
  ASSERT_EQ(frames.size(), 1u);
  EXPECT_EQ(frames[0].first, kB);
  const MacAddress mac = HostMac(1);
  EXPECT_EQ(Bytes(frames[0].second.begin(), frames[0].second.begin() + 6), Bytes(mac.begin(), mac.end()));
  EXPECT_EQ(Bytes(frames[0].second.begin() + 6, frames[0].second.end()), Bytes(sent.begin() + 6, sent.end()));
  EXPECT_EQ(fabric_.frames_under_way(), 0u);
}

TEST_F(FabricTest, ANearerHostIsServedFirst) {
  fabric_.Receive(kA, Ipv6("fd00::1", "fd00::2", kUdp, {1}), kStart);
  fabric_.Receive(kA, Ipv4("198.18.3.10", kUdp, {2}), kStart + milliseconds(1));
  const auto frames = Delivered(kStart + milliseconds(60));
  ASSERT_EQ(frames.size(), 2u);
  EXPECT_EQ(frames[0].first, kC);
  EXPECT_EQ(frames[1].first, kB);
}

TEST_F(FabricTest, AnswersAddressQueriesToTheSenderAtOnce) {
  fabric_.Receive(kA, Ethernet(0x0806, {0,   1,  8, 0,  6, 4, 0, 1, 2, 0x70, 0x67, 0,  0, 0,
                                        198, 18, 1, 10, 0, 0, 0, 0, 0, 0,    198,  18, 0, 1}),
                  kStart);
  const auto frames = Delivered(kStart);
  ASSERT_EQ(frames.size(), 1u);
  EXPECT_EQ(frames[0].first, kA);
  EXPECT_EQ(fabric_.counters().address_queries, 1u);
}

TEST_F(FabricTest, CountsWhatItDoesNotCarry) {
  fabric_.Receive(kA, Ipv4("198.18.77.77", kUdp, {}), kStart);
  fabric_.Receive(kA, Ipv4("224.0.0.1", kUdp, {}), kStart);
  fabric_.Receive(kA, Bytes{1, 2, 3}, kStart);
  fabric_.links().knobs(kB).block_icmp = true;
  fabric_.Receive(kA, Ipv4("198.18.2.10", kIcmp, kEcho4), kStart);
  EXPECT_EQ(fabric_.counters().unknown_address, 1u);
  EXPECT_EQ(fabric_.counters().not_unicast, 2u);
  EXPECT_EQ(Count(Verdict::kIcmpBlocked), 1u);
  EXPECT_EQ(fabric_.NextDue(), std::nullopt);
}

TEST_F(FabricTest, ALimitedDownlinkDelaysDelivery) {
  fabric_.links().knobs(kB).rate_bps = 1'000'000;
  Bytes frame = Ipv4("198.18.2.10", kUdp, {});
  frame.resize(1250);
  fabric_.Receive(kA, frame, kStart);
  EXPECT_TRUE(Delivered(kStart + milliseconds(50)).empty());
  EXPECT_EQ(fabric_.NextDue(), kStart + milliseconds(60));
  EXPECT_EQ(Delivered(kStart + milliseconds(60)).size(), 1u);
}

TEST_F(FabricTest, OneSenderCannotFillTheWorld) {
  Fabric small(ThreeHosts(), 1, {.frames_under_way = 5, .frames_from_host = 3});
  const Bytes frame = Ipv4("198.18.2.10", kUdp, {});
  for (int i = 0; i < 4; ++i) small.Receive(kA, frame, kStart);
  EXPECT_EQ(small.frames_under_way(), 3u);
  EXPECT_EQ(small.counters().queue_full, 1u);
  for (int i = 0; i < 3; ++i) small.Receive(kC, frame, kStart);
  EXPECT_EQ(small.frames_under_way(), 5u);
  EXPECT_EQ(small.counters().queue_full, 2u);
  small.DeliverDue(kStart + milliseconds(50), [](HostId, std::span<const uint8_t>) {});
  small.Receive(kA, frame, kStart + milliseconds(60));
  EXPECT_EQ(small.frames_under_way(), 1u);
}

Bytes WithTtl(Bytes frame, uint8_t ttl) {
  frame[kEthernetHeader + (frame[kEthernetHeader] >> 4 == 4 ? 8 : 7)] = ttl;
  return frame;
}

TEST_F(FabricTest, ARouterSaysThatTheTimeToLiveHasRunOut) {
  fabric_.links().knobs(kB).routers = 4;
  for (const Bytes& frame :
       {Ipv4("198.18.2.10", kUdp, {1, 2, 3, 4, 5, 6, 7, 8}), Ipv6("fd00::1", "fd00::2", kUdp, {1})}) {
    fabric_.Receive(kA, WithTtl(frame, 3), kStart);
    EXPECT_EQ(fabric_.NextDue(), kStart + milliseconds(75)) << "there and back";
    const auto frames = Delivered(kStart + milliseconds(75));
    ASSERT_EQ(frames.size(), 1u);
    EXPECT_EQ(frames[0].first, kA);
    const auto packet = std::span(frames[0].second).subspan(kEthernetHeader);
    const bool v4 = packet[0] >> 4 == 4;
    EXPECT_EQ(
        v4 ? IpAddress::V4(packet.subspan(12).first<4>()) : IpAddress::V6(packet.subspan(8).first<16>()),
        RouterAddress(kB, 3, v4));
  }
  EXPECT_EQ(Count(Verdict::kExpired), 2u);
}

TEST_F(FabricTest, APacketThatOutlivesTheRoutersArrives) {
  fabric_.links().knobs(kB).routers = 4;
  fabric_.Receive(kA, WithTtl(Ipv4("198.18.2.10", kUdp, {1}), 5), kStart);
  const auto frames = Delivered(kStart + milliseconds(50));
  ASSERT_EQ(frames.size(), 1u);
  EXPECT_EQ(frames[0].first, kB);
}

TEST_F(FabricTest, WithoutRoutersTheTimeToLiveIsNothing) {
  fabric_.Receive(kA, WithTtl(Ipv4("198.18.2.10", kUdp, {1}), 1), kStart);
  EXPECT_EQ(Delivered(kStart + milliseconds(50)).size(), 1u);
}

TEST_F(FabricTest, SilentRoutersUseUpTheTimeToLiveWithoutAWord) {
  fabric_.links().knobs(kB).routers = 4;
  fabric_.links().knobs(kB).silent_routers = true;
  fabric_.Receive(kA, WithTtl(Ipv4("198.18.2.10", kUdp, {1}), 4), kStart);
  EXPECT_EQ(fabric_.NextDue(), std::nullopt);
  EXPECT_EQ(Count(Verdict::kExpired), 1u);
}

}  // namespace
}  // namespace perigee::world
