#include "services/replica/telemetry/client_rtts.h"

#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <sys/socket.h>
#include <unistd.h>

#include "services/replica/telemetry/tcp_rtt.h"

namespace perigee::replica {
namespace {

IpAddress Address(std::string_view text) { return IpAddress::Parse(text).value(); }

TEST(ClientRtts, TellsTheLeastOfEachPrefix) {
  ClientRtts rtts;
  rtts.Add(Address("198.18.7.7"), Rtt(300));
  rtts.Add(Address("198.18.7.8"), Rtt(200));
  rtts.Add(Address("fd00::1"), Rtt(50));
  rtts.Add(Address("198.18.7.7"), Rtt(400));
  const auto report = rtts.Since(0);
  ASSERT_EQ(report.prefixes.size(), 2u);
  const bool v4_first = report.prefixes[0].prefix.address().is_v4();
  const PrefixRtt& v4 = report.prefixes[v4_first ? 0 : 1];
  EXPECT_EQ(v4.prefix.ToString(), "198.18.7.0/24");
  EXPECT_EQ(v4.least, Rtt(200));
  EXPECT_EQ(v4.connections, 3u);
  EXPECT_EQ(report.prefixes[v4_first ? 1 : 0].prefix.ToString(), "fd00::/56");
  EXPECT_EQ(report.next, 4u);
  EXPECT_EQ(report.missed, 0u);
}

TEST(ClientRtts, TellsEachConnectionOnce) {
  ClientRtts rtts;
  EXPECT_TRUE(rtts.Since(0).prefixes.empty());
  rtts.Add(Address("198.18.7.7"), Rtt(1));
  const uint64_t next = rtts.Since(0).next;
  EXPECT_EQ(next, rtts.now());
  EXPECT_TRUE(rtts.Since(next).prefixes.empty());
  rtts.Add(Address("198.18.8.7"), Rtt(1));
  const auto report = rtts.Since(next);
  ASSERT_EQ(report.prefixes.size(), 1u);
  EXPECT_EQ(report.prefixes[0].prefix.ToString(), "198.18.8.0/24");
}

TEST(ClientRtts, TheOldestAreForgottenAndMissed) {
  ClientRtts rtts;
  rtts.Add(Address("198.18.1.1"), Rtt(1));
  for (size_t i = 0; i < ClientRtts::kMaxSamples; ++i) rtts.Add(Address("198.18.2.1"), Rtt(2));
  const auto report = rtts.Since(0);
  ASSERT_EQ(report.prefixes.size(), 1u);
  EXPECT_EQ(report.prefixes[0].connections, ClientRtts::kMaxSamples);
  EXPECT_EQ(report.missed, 1u);
}

TEST(TcpRtt, OfAConnectionIsKnown) {
  const int listening = socket(AF_INET, SOCK_STREAM, 0), client = socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address{.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
  socklen_t size = sizeof(address);
  ASSERT_EQ(bind(listening, reinterpret_cast<sockaddr*>(&address), sizeof(address)), 0);
  ASSERT_EQ(listen(listening, 1), 0);
  ASSERT_EQ(getsockname(listening, reinterpret_cast<sockaddr*>(&address), &size), 0);
  ASSERT_EQ(connect(client, reinterpret_cast<sockaddr*>(&address), sizeof(address)), 0);
  const auto rtt = TcpRtt(client);
  ASSERT_TRUE(rtt.has_value());
  EXPECT_GT(*rtt, Rtt(0));
  EXPECT_LT(*rtt, std::chrono::seconds(10));
  close(client);
  close(listening);
}

TEST(TcpRtt, OfAnythingElseIsNot) {
  EXPECT_EQ(TcpRtt(-1), std::nullopt);
  EXPECT_EQ(TcpRtt(STDERR_FILENO), std::nullopt);
}

}  // namespace
}  // namespace perigee::replica
