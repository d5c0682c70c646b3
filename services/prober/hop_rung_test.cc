#include "services/prober/hop_rung.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <boost/asio/io_context.hpp>
#include <chrono>
#include <memory>
#include <vector>

namespace perigee {
namespace {

using std::chrono::milliseconds;

// Nobody listens there: the kernel itself answers, as a client's would.
TEST(HopRungTest, EachDatagramsErrorTellsItsTimeToLiveAndWhoSaidIt) {
  for (const char* address : {"127.0.0.1", "::1"}) {
    boost::asio::io_context io;
    const IpAddress client = *IpAddress::Parse(address);
    std::vector<HopReply> replies;
    const std::vector<uint8_t> hops = {2, 3, 5};
    HopRung rung(io, client, [&](const HopReply& reply) { replies.push_back(reply); });
    EXPECT_EQ(rung.Send(hops), 3u);
    EXPECT_TRUE(replies.empty()) << "they come from the loop";
    const MonoTime end = std::chrono::steady_clock::now() + milliseconds(2000);
    while (replies.size() < 3 && std::chrono::steady_clock::now() < end) io.run_one_for(milliseconds(100));
    ASSERT_EQ(replies.size(), 3u) << address;
    for (size_t i = 0; i < replies.size(); ++i) {
      EXPECT_EQ(replies[i].ttl, hops[i]);
      EXPECT_EQ(replies[i].from, client);
      EXPECT_LT(replies[i].rtt, milliseconds(1000));
    }
  }
}

TEST(HopRungTest, RepliesAreNotToldOnceItIsDestroyed) {
  boost::asio::io_context io;
  int replies = 0;
  const std::vector<uint8_t> hops = {2};
  auto rung =
      std::make_unique<HopRung>(io, *IpAddress::Parse("127.0.0.1"), [&](const HopReply&) { ++replies; });
  rung->Send(hops);
  rung.reset();
  io.run_for(milliseconds(50));
  EXPECT_EQ(replies, 0);
}

TEST(HopRungTest, MoreAnswersThanThereMayBeAreNotRead) {
  boost::asio::io_context io;
  const std::vector<uint8_t> hops = {2};
  int replies = 0;
  HopRung rung(io, *IpAddress::Parse("127.0.0.1"), [&](const HopReply&) { ++replies; });
  const MonoTime end = std::chrono::steady_clock::now() + milliseconds(2000);
  for (int sent = 0; sent < kMaxHopAnswers + 3; ++sent) {
    ASSERT_EQ(rung.Send(hops), 1u);
    const int awaited = std::min(sent + 1, kMaxHopAnswers);
    while (replies < awaited && std::chrono::steady_clock::now() < end) io.run_one_for(milliseconds(100));
    ASSERT_EQ(replies, awaited);
  }
  EXPECT_EQ(io.poll(), 0u) << "nobody waits for more";
  EXPECT_EQ(replies, kMaxHopAnswers);
}

TEST(HopRungTest, WhatDoesNotLeaveIsNotCounted) {
  boost::asio::io_context io;
  const std::vector<uint8_t> hops = {2, 3};
  HopRung rung(io, *IpAddress::Parse("255.255.255.255"), [](const HopReply&) {});
  EXPECT_EQ(rung.Send(hops), 0u);
}

}  // namespace
}  // namespace perigee
