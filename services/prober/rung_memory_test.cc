#include "services/prober/rung_memory.h"

#include <array>

#include "gtest/gtest.h"
#include "services/prober/tcp_rung.h"

namespace perigee {
namespace {

using std::chrono::milliseconds;

const IpAddress kClient = *IpAddress::Parse("198.18.7.7");
const LadderPlan kUsual{.tcp_stagger = milliseconds(60), .hop_stagger = milliseconds(70)};

Measurement Answered(ProbeMethod method) { return {.method = method, .rtts = {Rtt(1)}, .sent = 1}; }
Measurement ByHop(ProbeMethod method, uint8_t ttl) {
  Measurement measurement = Answered(method);
  measurement.hop = HopReply{ttl, kClient, Rtt(1)};
  return measurement;
}

TEST(RungMemory, AStrangerIsClimbedToAsUsual) {
  const LadderPlan plan = RungMemory().PlanFor(kClient, kUsual);
  EXPECT_EQ(plan.tcp_stagger, milliseconds(60));
  EXPECT_EQ(plan.hop_stagger, milliseconds(70));
  EXPECT_FALSE(plan.last_hop);
}

TEST(RungMemory, WhatAnsweredByTcpIsTriedByTcpSoon) {
  RungMemory memory;
  memory.Learn(kClient, Answered(ProbeMethod::kTcpSyn));
  const LadderPlan plan = memory.PlanFor(*IpAddress::Parse("198.18.7.200"), kUsual);
  EXPECT_EQ(plan.tcp_stagger, kHeadStart) << "it is known by prefix";
  EXPECT_EQ(memory.PlanFor(*IpAddress::Parse("198.18.8.7"), kUsual).tcp_stagger, milliseconds(60));
}

TEST(RungMemory, WhatIsKnownToAnswerIsNotTracedBeforeTcpHasHadAllItsTime) {
  RungMemory memory;
  for (const ProbeMethod method : {ProbeMethod::kIcmpEcho, ProbeMethod::kTcpSyn}) {
    memory.Learn(kClient, Answered(method));
    EXPECT_EQ(memory.PlanFor(kClient, kUsual).hop_stagger, kTcpPatience);
  }
}

TEST(RungMemory, ALastHopIsLookedForSoonAndWhereItWas) {
  RungMemory memory;
  for (const ProbeMethod method : {ProbeMethod::kLastHop, ProbeMethod::kUdpPort}) {
    memory.Learn(kClient, ByHop(method, 9));
    const LadderPlan plan = memory.PlanFor(kClient, kUsual);
    EXPECT_EQ(plan.tcp_stagger + plan.hop_stagger, 2 * kHeadStart);
    EXPECT_EQ(plan.last_hop, 9);
  }
}

TEST(RungMemory, SilenceForgets) {
  RungMemory memory;
  memory.Learn(kClient, ByHop(ProbeMethod::kLastHop, 9));
  memory.Learn(kClient, Measurement{});
  EXPECT_EQ(memory.size(), 0u);
  EXPECT_FALSE(memory.PlanFor(kClient, kUsual).last_hop) << "the path may have changed";
}

TEST(RungMemory, ThePrefixIdleForLongestGoesFirst) {
  RungMemory memory(2);
  const auto client = [](uint8_t i) { return IpAddress::V4(std::array<uint8_t, 4>{198, 18, i, 1}); };
  memory.Learn(client(1), Answered(ProbeMethod::kTcpSyn));
  memory.Learn(client(2), Answered(ProbeMethod::kTcpSyn));
  memory.Learn(client(1), Answered(ProbeMethod::kTcpSyn));
  memory.Learn(client(3), Answered(ProbeMethod::kTcpSyn));
  EXPECT_EQ(memory.size(), 2u);
  EXPECT_EQ(memory.PlanFor(client(1), kUsual).tcp_stagger, kHeadStart);
  EXPECT_EQ(memory.PlanFor(client(2), kUsual).tcp_stagger, milliseconds(60));
}

}  // namespace
}  // namespace perigee
