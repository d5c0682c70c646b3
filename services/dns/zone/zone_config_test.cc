#include "services/dns/zone/zone_config.h"

#include <fstream>

#include "gmock/gmock.h"
#include "lib/base/testing/files.h"
#include "lib/config/fleet.h"
#include "services/dns/zone/testing/plans.h"

namespace perigee::dns {
namespace {

using testing::Ask;
using ::testing::HasSubstr;
using ::testing::StartsWith;

constexpr std::string_view kDomain =
    "domain: \"cdn.example.org\"  origin: \"o\"  replica { name: \"a\" ipv4: \"192.0.2.1\" }\n";

// A folder with two zone files.
class LoadZonesTest : public ::testing::Test {
 protected:
  LoadZonesTest() {
    Write("example.org", "$TTL 3600\n@ SOA ns.else. h 1 2 3 4 3600\n@ NS ns.else.\nwww CNAME cdn\n");
    Write("broken", "$TTL 3600\n@ SOA ns.else. h 1 2 3 4 3600\n@ NS ns.else.\ncdn A 192.0.2.1\n");
  }

  void Write(const char* name, std::string_view text) { std::ofstream(folder_ / name) << text; }

  absl::StatusOr<ZoneSet> Load(std::string_view more) {
    const auto fleet = ParseFleet(std::string(kDomain) + std::string(more), "cdn.textproto");
    if (!fleet.ok()) return fleet.status();
    return LoadZones(*fleet, {.folder = folder_.path(),
                              .name_server = "",
                              .server_addresses = {IpAddress::Parse("192.0.2.53").value()}});
  }
  std::string ErrorOf(std::string_view more) {
    const auto zones = Load(more);
    return zones.ok() ? "OK" : std::string(zones.status().message());
  }

  const TemporaryFolder folder_;
};

TEST_F(LoadZonesTest, MakesAZoneForTheDomainWhenNoneHoldsIt) {
  const ZoneSet zones = Load("zone { name: \"other.org\" }").value();
  EXPECT_EQ(zones.zones().size(), 2u);
  EXPECT_EQ(Ask(zones, "cdn.example.org", RrType::kA), "NOERROR aa steered: cdn.example.org.");
  EXPECT_EQ(Ask(zones, "ns1.cdn.example.org", RrType::kA),
            "NOERROR aa an: ns1.cdn.example.org. A 192.0.2.53");
  EXPECT_EQ(Ask(zones, "other.org", RrType::kA), "NOERROR nodata aa au: other.org. SOA/300");
  EXPECT_EQ(Load("").value().zones().size(), 1u);
}

TEST_F(LoadZonesTest, SteersTheDomainInTheDeepestZoneThatHoldsIt) {
  const ZoneSet zones =
      Load("zone { name: \"org\" } zone { name: \"example.org\" file: \"example.org\" }").value();
  EXPECT_EQ(zones.zones().size(), 2u);
  EXPECT_EQ(Ask(zones, "www.example.org", RrType::kA),
            "NOERROR aa an: www.example.org. CNAME cdn.example.org. steered: cdn.example.org.");
}

TEST_F(LoadZonesTest, SteersWhatTheFleetFileLists) {
  const ZoneSet zones =
      Load(
          "zone { name: \"example.org\" file: \"example.org\" steered: \"@\" steered: \"*.w\" steered: \"b\" "
          "steered: \"c.example.org.\" } zone { name: \"made.org\" steered: \"*\" }")
          .value();
  for (const char* name :
       {"example.org", "a.w.example.org", "b.example.org", "c.example.org", "x.made.org"}) {
    EXPECT_THAT(Ask(zones, name, RrType::kAaaa), HasSubstr("steered: ")) << name;
  }
  EXPECT_EQ(Ask(zones, "made.org", RrType::kA), "NOERROR nodata aa au: made.org. SOA/300");
}

TEST_F(LoadZonesTest, TellsWhoItIs) {
  const ZoneSet zones = Load("dns { version: \"v1\" identity: \"one\" }").value();
  EXPECT_THAT(Ask(zones, "version.bind", RrType::kTxt, RrClass::kChaos), HasSubstr("TXT v1/0"));
  EXPECT_THAT(Ask(zones, "id.server", RrType::kTxt, RrClass::kChaos), HasSubstr("TXT one/0"));
  EXPECT_EQ(Ask(Load("").value(), "version.bind", RrType::kTxt, RrClass::kChaos), "REFUSED");
}

TEST_F(LoadZonesTest, NamesTheFieldOrTheLine) {
  EXPECT_EQ(ErrorOf("zone { name: \"example.org\" file: \"broken\" }"),
            "zone[0]: " + folder_ / "broken" +
                ":4: cdn.example.org.: a steered name cannot have A or AAAA records of its own: remove them");
  EXPECT_EQ(ErrorOf("zone { name: \"example.org\" file: \"none\" }"),
            "zone[0]: \"" + folder_ / "none" + "\": there is no such file");
  EXPECT_THAT(ErrorOf("zone { name: \"a.org\" steered: \"b.\" }"),
              StartsWith("zone[0].steered[0]: b. is not within the zone a.org."));
}

// What the reader of the fleet file may catch before.
TEST_F(LoadZonesTest, NamesBadNamesAndTwins) {
  v1::FleetConfig fleet;
  fleet.set_domain("cdn..org");
  EXPECT_THAT(std::string(LoadZones(fleet, {}).status().message()), StartsWith("domain: not a domain name"));
  fleet.set_domain("cdn.org");
  fleet.add_zone()->set_name("a..b");
  EXPECT_THAT(std::string(LoadZones(fleet, {}).status().message()),
              StartsWith("zone[0].name: not a domain name"));
  fleet.mutable_zone(0)->set_name("a.b");
  fleet.add_zone()->set_name("A.b.");
  EXPECT_THAT(std::string(LoadZones(fleet, {}).status().message()),
              StartsWith("zone[1].name: a.b. is the name of zone[0]"));
}

TEST_F(LoadZonesTest, SteersTheNamesOfBeacons) {
  const ZoneSet zones = Load("steering { beacon: \"b.cdn.example.org\" }").value();
  EXPECT_EQ(Ask(zones, "x.b.cdn.example.org", RrType::kA), "NOERROR aa steered: x.b.cdn.example.org.");
  EXPECT_THAT(Ask(zones, "b.cdn.example.org", RrType::kA), StartsWith("NOERROR"))
      << "who asks for it first (RFC 9156) must not hear that there is nothing below (RFC 8020)";
  EXPECT_EQ(ErrorOf("steering { beacon: \"b.example.org\" }"),
            "steering.beacon: b.example.org is in no zone that is served");
}

}  // namespace
}  // namespace perigee::dns
