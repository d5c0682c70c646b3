#include "services/dns/telemetry/measurement_log.h"

#include <gmock/gmock.h>

#include <filesystem>

#include "lib/base/read_file.h"

namespace perigee::dns {
namespace {

using std::chrono::milliseconds;

const WallTime kTime{milliseconds(1'732'948'800'123)};

MeasurementRecord Example() {
  return {.time = kTime,
          .client = *IpPrefix::Parse("198.18.7.0/24"),
          .cause = FlightCause::kQuery,
          .answers = {{"washington", {Rtt(23012), Method::kIcmpEcho}, Rtt(25000)},
                      {"portland", {Rtt(70001), Method::kTcpSyn}, Rtt(131000)},
                      {"tokyo", {{}, Method::kSilent}, Rtt(1'523'000)},
                      {"sydney", {}, Rtt(3'000'000)}}};
}

constexpr std::string_view kLine =
    "1732948800123 198.18.7.0/24 query washington=icmp-echo:23012@25000 portland=tcp-syn:70001@131000 "
    "tokyo=silent@1523000 sydney=unknown@3000000";

TEST(MeasurementLog, AMeasurementIsALine) {
  EXPECT_EQ(FormatMeasurement(Example()), std::string(kLine) + "\n");
}

TEST(MeasurementLog, WhatItWritesItReads) {
  const auto read = ParseMeasurement(kLine);
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(FormatMeasurement(*read), std::string(kLine) + "\n");
  const auto distances = ParseMeasurement("1732948800456 washington distances portland=60123 tokyo=149870");
  ASSERT_TRUE(distances.ok()) << distances.status();
  const auto& record = std::get<DistancesRecord>(*distances);
  EXPECT_EQ(record.from, "washington");
  ASSERT_EQ(record.distances.size(), 2u);
  EXPECT_EQ(record.distances[1].to, "tokyo");
  EXPECT_EQ(record.distances[1].rtt, Rtt(149870));
}

TEST(MeasurementLog, AWrongLineIsRefusedWithTheWordThatIsWrong) {
  const auto refused = [](std::string_view line) {
    return std::string(ParseMeasurement(line).status().message());
  };
  EXPECT_EQ(refused(""), "'' is no measurement");
  EXPECT_EQ(refused("noon 198.18.7.0/24 query"), "'noon' is no time");
  EXPECT_THAT(refused("1 nowhere query"), testing::HasSubstr("nowhere"));
  EXPECT_EQ(refused("1 198.18.7.0/24 whim"), "'whim' is no cause");
  EXPECT_EQ(refused("1 198.18.7.0/24 query a=icmp-echo@5"), "'a=icmp-echo@5' is no answer of a replica");
  EXPECT_EQ(refused("1 198.18.7.0/24 query a=silent:7@5"), "'a=silent:7@5' is no answer of a replica");
  EXPECT_EQ(refused("1 198.18.7.0/24 query a=icmp-echo:7"), "'a=icmp-echo:7' is no answer of a replica");
  EXPECT_EQ(refused("1 198.18.7.0/24 query a=smell:7@5"), "'smell' is no method");
  EXPECT_EQ(refused("1 198.18.7.0/24 query a=icmp-echo:-7@5"), "'-7' is no RTT");
  EXPECT_EQ(refused("1 a distances b"), "'b' is no distance");
}

TEST(MeasurementLog, LinesReachTheFile) {
  const std::string path = testing::TempDir() + "measurements.log";
  std::filesystem::remove(path);
  {
    auto log = MeasurementLog::Open(path);
    ASSERT_TRUE(log.ok()) << log.status();
    for (int i = 0; i < 3; ++i) (*log)->Write(Example());
  }
  const std::string line = std::string(kLine) + "\n";
  EXPECT_EQ(*ReadFile(path, 1 << 20), line + line + line);
}

}  // namespace
}  // namespace perigee::dns
