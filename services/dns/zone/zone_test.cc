#include "services/dns/zone/zone.h"

#include <string>

#include "gmock/gmock.h"
#include "services/dns/zone/synthetic.h"
#include "services/dns/zone/zone_builder.h"

namespace perigee::dns {
namespace {

using namespace std::chrono_literals;
using ::testing::HasSubstr;

Name N(std::string_view text) { return Name::Parse(text).value(); }

SyntheticZoneOptions Options() {
  return {.domain = "cdn.example.org",
          .name_server = "",
          .server_addresses = {IpAddress::Parse("198.18.0.53").value(), IpAddress::Parse("fd00::53").value()},
          .start_time = WallTime(1'700'000'000s),
          .version = "perigee 0.1",
          .hostname = "director-1"};
}

Zone Synthetic() { return MakeSyntheticZone(Options()).value(); }

Zone::LookupKind KindOf(const Zone& zone, std::string_view name, RrType type,
                        RrClass rr_class = RrClass::kIn) {
  return zone.Lookup(N(name), type, rr_class).kind;
}

std::string TextOf(const Zone::LookupResult& plan) {
  const Rdata rdata = plan.records->rdatas[0];
  return std::string(rdata.begin() + 1, rdata.end());
}

TEST(SyntheticZone, SteersTheDomainItselfAndNothingElse) {
  const Zone zone = Synthetic();
  for (const RrType type : {RrType::kA, RrType::kAaaa}) {
    EXPECT_EQ(KindOf(zone, "CDN.example.org", type), Zone::LookupKind::kSteered);
    EXPECT_EQ(KindOf(zone, "www.cdn.example.org", type), Zone::LookupKind::kNameError);
    EXPECT_EQ(KindOf(zone, "ns1.cdn.example.org", type), Zone::LookupKind::kRecords);
    EXPECT_EQ(KindOf(zone, "a.ns1.cdn.example.org", type), Zone::LookupKind::kNameError);
  }
}

TEST(SyntheticZone, SaysNoDataForTypesThatAreNotThere) {
  const Zone zone = Synthetic();
  for (const uint16_t type : {15, 16, 257, 1000, 65535}) {
    EXPECT_EQ(KindOf(zone, "cdn.example.org", static_cast<RrType>(type)), Zone::LookupKind::kNoData) << type;
  }
}

TEST(SyntheticZone, RefusesWhatIsNotItsOwn) {
  const Zone zone = Synthetic();
  for (const char* name : {".", "org", "example.org", "xcdn.example.org", "www.example.net"}) {
    EXPECT_EQ(KindOf(zone, name, RrType::kA), Zone::LookupKind::kRefused) << name;
  }
  for (const RrType transfer : {RrType::kAxfr, RrType::kIxfr}) {
    EXPECT_EQ(KindOf(zone, "cdn.example.org", transfer), Zone::LookupKind::kRefused);
  }
  for (const RrClass other : {RrClass::kNone, RrClass::kAny, static_cast<RrClass>(4)}) {
    EXPECT_EQ(KindOf(zone, "cdn.example.org", RrType::kA, other), Zone::LookupKind::kRefused);
  }
}

TEST(SyntheticZone, HasASensibleSoaAndNameServer) {
  const Zone zone = Synthetic();
  Reader reader(zone.soa().rdatas[0]);
  NameView mname, rname;
  ASSERT_TRUE(NameView::Read(reader, &mname) && NameView::Read(reader, &rname));
  EXPECT_EQ(mname.ToText(), "ns1.cdn.example.org.");
  EXPECT_EQ(rname.ToText(), "hostmaster.cdn.example.org.");
  uint32_t serial = 0;
  ASSERT_TRUE(reader.ReadU32(&serial));
  EXPECT_EQ(serial, 1'700'000'000u);
  EXPECT_EQ(zone.negative_ttl(), 300s);
  EXPECT_EQ(KindOf(zone, "cdn.example.org", RrType::kSoa), Zone::LookupKind::kRecords);
  EXPECT_EQ(KindOf(zone, "cdn.example.org", RrType::kNs), Zone::LookupKind::kRecords);
}

TEST(SyntheticZone, TakesANameServerElsewhereWithoutGlue) {
  SyntheticZoneOptions options = Options();
  options.name_server = "ns.example.net";
  const Zone zone = MakeSyntheticZone(options).value();
  EXPECT_EQ(KindOf(zone, "ns1.cdn.example.org", RrType::kA), Zone::LookupKind::kNameError);
  EXPECT_EQ(zone.Find(N("ns.example.net")), nullptr);
}

TEST(SyntheticZone, SteersSeveralNames) {
  SyntheticZoneOptions options = Options();
  options.steer_apex = false;
  options.steered = {N("*.cdn.example.org"), N("a.cdn.example.org")};
  options.name_server = "cdn.example.org";
  const Zone zone = MakeSyntheticZone(options).value();
  EXPECT_EQ(KindOf(zone, "a.cdn.example.org", RrType::kA), Zone::LookupKind::kSteered);
  EXPECT_EQ(KindOf(zone, "cdn.example.org", RrType::kA), Zone::LookupKind::kRecords);
  EXPECT_TRUE(zone.Find(N("*.cdn.example.org"))->steered);
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

TEST(Zone, AnswersAnyMinimally) {
  const Zone zone = Synthetic();
  const Zone::LookupResult plan = zone.Lookup(N("cdn.example.org"), RrType::kAny, RrClass::kIn);
  ASSERT_EQ(plan.kind, Zone::LookupKind::kRecords);
  ASSERT_EQ(plan.records->type, RrType::kHinfo);
  EXPECT_EQ(TextOf(plan), "RFC8482" + std::string(1, '\0'));
  EXPECT_EQ(KindOf(zone, "nothing.cdn.example.org", RrType::kAny), Zone::LookupKind::kNameError);
}

TEST(Zone, TellsItsVersionAndHostnameOnlyWhenGiven) {
  const Zone zone = Synthetic();
  EXPECT_EQ(TextOf(zone.Lookup(N("VERSION.bind"), RrType::kTxt, RrClass::kChaos)), "perigee 0.1");
  EXPECT_EQ(TextOf(zone.Lookup(N("id.server"), RrType::kTxt, RrClass::kChaos)), "director-1");
  EXPECT_EQ(KindOf(zone, "version.bind", RrType::kA, RrClass::kChaos), Zone::LookupKind::kRefused);
  EXPECT_EQ(KindOf(zone, "cdn.example.org", RrType::kA, RrClass::kChaos), Zone::LookupKind::kRefused);
  SyntheticZoneOptions silent = Options();
  silent.version.clear();
  EXPECT_EQ(KindOf(MakeSyntheticZone(silent).value(), "version.bind", RrType::kTxt, RrClass::kChaos),
            Zone::LookupKind::kRefused);
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
  const Zone zone = std::move(builder).Build().value();
  for (const char* name : {"b.c.x.org", "c.x.org"}) {
    EXPECT_EQ(KindOf(zone, name, RrType::kTxt), Zone::LookupKind::kNoData) << name;
    EXPECT_EQ(KindOf(zone, name, RrType::kAny), Zone::LookupKind::kNoData) << name;
  }
  EXPECT_EQ(KindOf(zone, "d.c.x.org", RrType::kTxt), Zone::LookupKind::kNameError);
  EXPECT_EQ(zone.negative_ttl(), 60s);
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
  EXPECT_FALSE(std::move(builder).Build().ok()) << "two SOA records";
  EXPECT_THAT(std::string(builder.AddRecord(N("x.org"), RrType::kSoa, 3600s, RdataBuffer(21, 0)).message()),
              HasSubstr("the record's data is not what its type asks for"));
}

}  // namespace
}  // namespace perigee::dns
