#include "services/dns/geography/geo_database.h"

#include <unistd.h>

#include <filesystem>

#include "fmt/format.h"
#include "gtest/gtest.h"
#include "services/dns/geography/testing/mmdb.h"

namespace perigee::dns {
namespace {

class GeoDatabaseTest : public testing::Test {
 protected:
  ~GeoDatabaseTest() override { std::filesystem::remove(path_); }

  std::optional<Location> Find(const char* address) const {
    return database_->Find(*IpAddress::Parse(address));
  }
  void Open(const MmdbWriter& writer) {
    writer.WriteTo(path_);
    auto opened = GeoDatabase::Open(path_);
    ASSERT_TRUE(opened.ok()) << opened.status();
    database_ = *std::move(opened);
  }
  absl::Status Refused(std::string_view octets) {
    std::ofstream(path_, std::ios::binary) << octets;
    return GeoDatabase::Open(path_).status();
  }

  const std::string path_ = fmt::format("{}/places-{}.mmdb", testing::TempDir(), getpid());
  std::shared_ptr<const GeoDatabase> database_;
};

TEST_F(GeoDatabaseTest, SaysWhereAddressesOfBothFamiliesAre) {
  MmdbWriter writer;
  writer.Add(*IpPrefix::Parse("198.18.7.0/24"), {53.35, -6.26});
  writer.Add(*IpPrefix::Parse("2001:db8::/32"), {-33.87, 151.21});
  Open(writer);
  const auto dublin = Find("198.18.7.9"), sydney = Find("2001:db8:7::1");
  ASSERT_TRUE(dublin && sydney);
  EXPECT_EQ(dublin->latitude, 53.35);
  EXPECT_EQ(dublin->longitude, -6.26);
  EXPECT_EQ(sydney->latitude, -33.87);
  EXPECT_FALSE(Find("198.18.8.9"));
  EXPECT_FALSE(Find("2001:db9::1"));
}

TEST_F(GeoDatabaseTest, AnEntryWithoutAPlaceOrWithAnImpossibleOneSaysNothing) {
  MmdbWriter writer;
  writer.AddWithoutLocation(*IpPrefix::Parse("198.18.1.0/24"));
  writer.Add(*IpPrefix::Parse("198.18.2.0/24"), {91, 0});
  Open(writer);
  EXPECT_FALSE(Find("198.18.1.1"));
  EXPECT_FALSE(Find("198.18.2.1"));
}

TEST_F(GeoDatabaseTest, WhatIsNoDatabaseIsRefusedByName) {
  EXPECT_EQ(GeoDatabase::Open("/nowhere.mmdb").status().code(), absl::StatusCode::kNotFound);
  for (const std::string_view octets : {"", "not a database"}) {
    const absl::Status refused = Refused(octets);
    EXPECT_EQ(refused.code(), absl::StatusCode::kInvalidArgument) << octets;
    EXPECT_NE(std::string(refused.message()).find(path_), std::string::npos) << refused;
  }
}

TEST_F(GeoDatabaseTest, ADatabaseThatIsCutShortDoesNoHarm) {
  MmdbWriter writer;
  writer.Add(*IpPrefix::Parse("198.18.7.0/24"), {53.35, -6.26});
  const std::string whole = writer.Take();
  for (size_t size = 0; size < whole.size(); size += 7) {
    std::ofstream(path_, std::ios::binary) << whole.substr(0, size);
    const auto opened = GeoDatabase::Open(path_);
    if (opened.ok()) (*opened)->Find(*IpAddress::Parse("198.18.7.9"));
  }
}

}  // namespace
}  // namespace perigee::dns
