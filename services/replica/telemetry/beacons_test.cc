#include "services/replica/telemetry/beacons.h"

#include <fmt/format.h>

#include "gtest/gtest.h"

namespace perigee::replica {
namespace {

Beacon Number(size_t i) {
  return {*IpAddress::Parse("198.18.7.7"), *BeaconToken::Parse(fmt::format("0123456789-{:06}", i))};
}

TEST(Beacons, TellsEachOnceInTheOrderOfComing) {
  Beacons beacons;
  EXPECT_TRUE(beacons.Since(0).beacons.empty());
  beacons.Add(Number(1));
  beacons.Add(Number(2));
  const Beacons::Report first = beacons.Since(0);
  ASSERT_EQ(first.beacons.size(), 2u);
  EXPECT_EQ(first.beacons[0].token, Number(1).token);
  EXPECT_TRUE(beacons.Since(first.next).beacons.empty());
  beacons.Add(Number(3));
  const Beacons::Report second = beacons.Since(first.next);
  ASSERT_EQ(second.beacons.size(), 1u);
  EXPECT_EQ(second.beacons[0].token, Number(3).token);
}

TEST(Beacons, KeepsTheLatest) {
  Beacons beacons;
  for (size_t i = 0; i < Beacons::kMax + 2; ++i) beacons.Add(Number(i));
  const Beacons::Report report = beacons.Since(0);
  ASSERT_EQ(report.beacons.size(), Beacons::kMax);
  EXPECT_EQ(report.beacons.front().token, Number(2).token);
  EXPECT_EQ(report.beacons.back().token, Number(Beacons::kMax + 1).token);
}

}  // namespace
}  // namespace perigee::replica
