#include "services/prober/prober_service.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace perigee {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

v1::MeasureRequest Request(const std::string& address, uint32_t probes = 0,
                           const std::vector<uint32_t>& ports = {}) {
  v1::MeasureRequest request;
  request.set_address(address);
  request.set_probes(probes);
  for (const uint32_t port : ports) request.add_tcp_ports(port);
  return request;
}

std::string ErrorOf(const v1::MeasureRequest& request) {
  const auto target = ParseMeasureRequest(request);
  EXPECT_TRUE(target.ok() || absl::IsInvalidArgument(target.status()));
  return std::string(target.status().message());
}

TEST(MeasureRequest, DefaultsAreOneProbeAndThreePorts) {
  const auto target = ParseMeasureRequest(Request("198.18.7.7"));
  ASSERT_TRUE(target.ok()) << target.status();
  EXPECT_EQ(target->address, *IpAddress::Parse("198.18.7.7"));
  EXPECT_EQ(target->probes, 1u);
  EXPECT_THAT(target->ports, ElementsAre(53, 443, 80));
  EXPECT_EQ(target->packets(), 4u);
}

TEST(MeasureRequest, LimitsAreReachableAndNoMore) {
  EXPECT_TRUE(ParseMeasureRequest(Request("fd00::7", 10, {1, 2, 3, 65535})).ok());
  EXPECT_EQ(ErrorOf(Request("fd00::7", 11)), "probes: 11 is more than 10");
  EXPECT_EQ(ErrorOf(Request("fd00::7", 1, {1, 2, 3, 4, 5})), "tcp_ports: 5 are more than 4");
  EXPECT_EQ(ErrorOf(Request("fd00::7", 1, {0})), "tcp_ports: 0 is not a port");
  EXPECT_EQ(ErrorOf(Request("fd00::7", 1, {65536})), "tcp_ports: 65536 is not a port");
}

TEST(MeasureRequest, WhatIsNotAnAddressIsNamed) {
  for (const char* text :
       {"", "example.org", "198.18.7", "198.18.7.7:53", "fe80::1%eth0", "198.18.7.7 -P udp"}) {
    EXPECT_THAT(ErrorOf(Request(text)), HasSubstr("address: ")) << text;
  }
}

TEST(MeasureRequest, TheDearestFitsIntoTheMinimumBurst) { EXPECT_EQ(kMaxProbes + kMaxPorts, kMinimumBurst); }

TEST(MeasureRequest, AClientThatAnswersNothingFitsIntoTheMinimumBurst) {
  const auto target = ParseMeasureRequest(Request("198.18.7.7"));
  ASSERT_TRUE(target.ok());
  EXPECT_EQ(target->packets() + kMaxHopProbes, kMinimumBurst);
}

TEST(MeasureResponse, CarriesSamplesAndTheirLeast) {
  v1::MeasureResponse response;
  ToResponse({.method = ProbeMethod::kIcmpEcho, .rtts = {Rtt(300), Rtt(200)}, .sent = 3}, &response);
  EXPECT_EQ(response.method(), v1::METHOD_ICMP_ECHO);
  EXPECT_THAT(response.rtt_us(), ElementsAre(300, 200));
  EXPECT_EQ(response.min_rtt_us(), 200u);
  EXPECT_EQ(response.sent(), 3u);
  EXPECT_EQ(response.lost(), 1u);
}

TEST(MeasureResponse, AFloorNamesItsHop) {
  v1::MeasureResponse response;
  const HopReply hop{9, *IpAddress::Parse("198.19.128.9"), Rtt(500)};
  ToResponse({.method = ProbeMethod::kLastHop, .rtts = {hop.rtt}, .sent = 16, .hop = hop}, &response);
  EXPECT_EQ(response.method(), v1::METHOD_LAST_HOP);
  EXPECT_EQ(response.min_rtt_us(), 500u);
  EXPECT_EQ(response.hop(), "198.19.128.9");
  EXPECT_EQ(response.sent(), 16u);
}

TEST(MeasureResponse, SilenceHasNoSamples) {
  v1::MeasureResponse response;
  ToResponse({.method = ProbeMethod::kSilent, .rtts = {}, .sent = 4}, &response);
  EXPECT_EQ(response.method(), v1::METHOD_SILENT);
  EXPECT_EQ(response.min_rtt_us(), 0u);
  EXPECT_EQ(response.lost(), 4u);
}

}  // namespace
}  // namespace perigee
