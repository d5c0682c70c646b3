#include "services/dns/zone/zone.h"

#include <string>

#include "gmock/gmock.h"
#include "services/dns/zone/answer_plan.h"
#include "services/dns/zone/synthetic.h"
#include "services/dns/zone/zone_builder.h"
#include "services/dns/zone/zone_set.h"

namespace perigee::dns {
namespace {

using namespace std::chrono_literals;
using ::testing::HasSubstr;

Name N(std::string_view text) { return Name::Parse(text).value(); }

SyntheticZoneOptions Options() {
  return {.domain = "cdn.example.org",
          .name_server = "",
          .server_addresses = {IpAddress::Parse("198.18.0.53").value(), IpAddress::Parse("fd00::53").value()},
          .start_time = WallTime(1'700'000'000s)};
}

ZoneSet SetOf(Zone zone) {
  std::vector<Zone> zones;
  zones.push_back(std::move(zone));
  return MakeZoneSet(std::move(zones), {.version = "perigee 0.1", .hostname = "director-1"}).value();
}

ZoneSet Made(const SyntheticZoneOptions& options) { return SetOf(MakeSyntheticZone(options).value()); }
ZoneSet Synthetic() { return Made(Options()); }

PlanKind KindOf(const ZoneSet& zones, std::string_view name, RrType type, RrClass rr_class = RrClass::kIn) {
  const Name qname = N(name);
  AnswerPlan plan;
  PlanAnswer(zones, qname, type, rr_class, &plan);
  return plan.kind();
}

TEST(SyntheticZone, SteersTheDomainItselfAndNothingElse) {
  const ZoneSet zones = Synthetic();
  for (const RrType type : {RrType::kA, RrType::kAaaa}) {
    EXPECT_EQ(KindOf(zones, "CDN.example.org", type), PlanKind::kSteered);
    EXPECT_EQ(KindOf(zones, "www.cdn.example.org", type), PlanKind::kNameError);
    EXPECT_EQ(KindOf(zones, "ns1.cdn.example.org", type), PlanKind::kAnswer);
    EXPECT_EQ(KindOf(zones, "a.ns1.cdn.example.org", type), PlanKind::kNameError);
  }
}

TEST(SyntheticZone, SaysNoDataForTypesThatAreNotThere) {
  const ZoneSet zones = Synthetic();
  for (const uint16_t type : {15, 16, 257, 1000, 65535}) {
    EXPECT_EQ(KindOf(zones, "cdn.example.org", static_cast<RrType>(type)), PlanKind::kNoData) << type;
  }
}

TEST(SyntheticZone, RefusesWhatIsNotItsOwn) {
  const ZoneSet zones = Synthetic();
  for (const char* name : {".", "org", "example.org", "xcdn.example.org", "www.example.net"}) {
    EXPECT_EQ(KindOf(zones, name, RrType::kA), PlanKind::kRefused) << name;
  }
  for (const RrType transfer : {RrType::kAxfr, RrType::kIxfr}) {
    EXPECT_EQ(KindOf(zones, "cdn.example.org", transfer), PlanKind::kRefused);
  }
  for (const RrClass other : {RrClass::kNone, RrClass::kAny, static_cast<RrClass>(4)}) {
    EXPECT_EQ(KindOf(zones, "cdn.example.org", RrType::kA, other), PlanKind::kRefused);
  }
}

TEST(SyntheticZone, HasASensibleSoaAndNameServer) {
  const ZoneSet zones = Synthetic();
  const Zone& zone = zones.zones()[0];
  Reader reader(zone.soa().rdatas[0]);
  NameView mname, rname;
  ASSERT_TRUE(NameView::Read(reader, &mname) && NameView::Read(reader, &rname));
  EXPECT_EQ(mname.ToText(), "ns1.cdn.example.org.");
  EXPECT_EQ(rname.ToText(), "hostmaster.cdn.example.org.");
  uint32_t serial = 0;
  ASSERT_TRUE(reader.ReadU32(&serial));
  EXPECT_EQ(serial, 1'700'000'000u);
  EXPECT_EQ(zone.negative_ttl(), 300s);
  EXPECT_EQ(KindOf(zones, "cdn.example.org", RrType::kSoa), PlanKind::kAnswer);
  EXPECT_EQ(KindOf(zones, "cdn.example.org", RrType::kNs), PlanKind::kAnswer);
}

TEST(SyntheticZone, TakesANameServerElsewhereWithoutGlue) {
  SyntheticZoneOptions options = Options();
  options.name_server = "ns.example.net";
  const ZoneSet zones = Made(options);
  EXPECT_EQ(KindOf(zones, "ns1.cdn.example.org", RrType::kA), PlanKind::kNameError);
  EXPECT_EQ(zones.Find(N("ns.example.net")), nullptr);
}

TEST(SyntheticZone, SteersSeveralNames) {
  SyntheticZoneOptions options = Options();
  options.steer_apex = false;
  options.steered = {N("*.cdn.example.org"), N("a.cdn.example.org")};
  options.name_server = "cdn.example.org";
  const ZoneSet zones = Made(options);
  EXPECT_EQ(KindOf(zones, "a.cdn.example.org", RrType::kA), PlanKind::kSteered);
  EXPECT_EQ(KindOf(zones, "cdn.example.org", RrType::kA), PlanKind::kAnswer);
  EXPECT_TRUE(zones.zones()[0].Find(N("*.cdn.example.org"))->steered);
}

TEST(SyntheticZone, NeedsNoAddressOfItsNameServer) {
  SyntheticZoneOptions options = Options();
  options.server_addresses.clear();
  EXPECT_TRUE(MakeSyntheticZone(options).ok());
}

TEST(SyntheticZone, NamesWhatIsWrong) {
  SyntheticZoneOptions options = Options();
  options.domain = "cdn..example";
  EXPECT_THAT(std::string(MakeSyntheticZone(options).status().message()), HasSubstr("cdn..example"));
  options = Options();
  options.name_server = "ns..net";
  EXPECT_THAT(std::string(MakeSyntheticZone(options).status().message()), HasSubstr("ns..net"));
}

ZoneBuilder BuilderWithApex() {
  ZoneBuilder builder(N("x.org"));
  RdataBuffer soa = {0, 0};
  soa.insert(soa.end(), 20, 0);
  soa.back() = 60;
  EXPECT_TRUE(builder.AddRecord(N("x.org"), RrType::kSoa, 3600s, soa).ok());
  EXPECT_TRUE(builder.AddRecord(N("x.org"), RrType::kNs, 3600s, RdataBuffer{0}).ok());
  return builder;
}

TEST(ZoneBuilder, MakesEmptyNonTerminals) {
  ZoneBuilder builder = BuilderWithApex();
  ASSERT_TRUE(builder.AddRecord(N("a.b.c.x.org"), RrType::kTxt, 1s, RdataBuffer{0}).ok());
  const ZoneSet zones = SetOf(std::move(builder).Build().value());
  for (const char* name : {"b.c.x.org", "c.x.org"}) {
    EXPECT_EQ(KindOf(zones, name, RrType::kTxt), PlanKind::kNoData) << name;
    EXPECT_EQ(KindOf(zones, name, RrType::kAny), PlanKind::kNoData) << name;
  }
  EXPECT_EQ(KindOf(zones, "d.c.x.org", RrType::kTxt), PlanKind::kNameError);
  EXPECT_EQ(zones.zones()[0].negative_ttl(), 60s);
}

TEST(ZoneBuilder, KeepsRecordsOfOneTypeTogether) {
  ZoneBuilder builder = BuilderWithApex();
  ASSERT_TRUE(builder.AddRecord(N("a.x.org"), RrType::kTxt, 1s, RdataBuffer{1, 'a'}).ok());
  ASSERT_TRUE(builder.AddRecord(N("A.x.org"), RrType::kTxt, 1s, RdataBuffer{1, 'b'}).ok());
  EXPECT_FALSE(builder.AddRecord(N("a.x.org"), RrType::kTxt, 2s, RdataBuffer{1, 'c'}).ok());
  const Zone zone = std::move(builder).Build().value();
  EXPECT_EQ(zone.Find(N("a.x.org"))->Find(RrType::kTxt)->rdatas.size(), 2u);
}

TEST(ZoneBuilder, RefusesWhatIsNoZone) {
  EXPECT_FALSE(ZoneBuilder(N("x.org")).Build().ok());
  ZoneBuilder builder = BuilderWithApex();
  EXPECT_THAT(std::string(builder.AddSteered(N("y.org")).message()),
              HasSubstr("y.org.: not within the zone x.org."));
  ASSERT_TRUE(builder.AddRecord(N("x.org"), RrType::kSoa, 3600s, RdataBuffer(22, 0)).ok());
  EXPECT_THAT(std::string(builder.AddRecord(N("x.org"), RrType::kSoa, 3600s, RdataBuffer(21, 0)).message()),
              HasSubstr("the record's data is not what its type asks for"));
  EXPECT_FALSE(std::move(builder).Build().ok()) << "two SOA records";
}

}  // namespace
}  // namespace perigee::dns
