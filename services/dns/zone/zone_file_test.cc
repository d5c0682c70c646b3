#include "services/dns/zone/zone_file.h"

#include <fstream>
#include <map>
#include <vector>

#include "fmt/format.h"
#include "gmock/gmock.h"
#include "lib/base/testing/files.h"
#include "services/dns/zone/rdata_text.h"
#include "services/dns/zone/testing/plans.h"
#include "services/dns/zone/zone_builder.h"
#include "services/dns/zone/zone_scanner.h"

namespace perigee::dns {
namespace {

using namespace std::chrono_literals;
using ::testing::HasSubstr;
using testing::N;

constexpr std::string_view kHead =
    "$TTL 60\n"
    "@ SOA ns.else. host 1 2 3 4 5\n"
    "@ NS ns.else.\n";  // what follows starts at line 4

using Files = std::map<std::string, std::string>;

absl::StatusOr<Zone> Read(std::string_view text, const Files& files = {}, std::vector<Name> steered = {}) {
  return ReadZone(text, "z/db", N("x.org"), steered,
                  [&](const std::string& path) -> absl::StatusOr<std::string> {
                    const auto it = files.find(path);
                    if (it == files.end()) return absl::NotFoundError(path + ": cannot be read");
                    return it->second;
                  });
}

absl::StatusOr<Zone> ReadRest(std::string_view records, const Files& files = {},
                              std::vector<Name> steered = {}) {
  return Read(std::string(kHead) + std::string(records), files, std::move(steered));
}

std::string ErrorOf(const absl::StatusOr<Zone>& zone) {
  return zone.ok() ? "OK" : std::string(zone.status().message());
}

const RecordSet* Find(const absl::StatusOr<Zone>& zone, std::string_view name, RrType type) {
  EXPECT_TRUE(zone.ok()) << ErrorOf(zone);
  const Node* node = zone.ok() ? zone->Find(N(name)) : nullptr;
  return node == nullptr ? nullptr : node->Find(type);
}

// The only record's RDATA in hexadecimal.
std::string HexOf(const absl::StatusOr<Zone>& zone, std::string_view name, RrType type) {
  const RecordSet* set = Find(zone, name, type);
  if (set == nullptr || set->rdatas.size() != 1) return "none";
  std::string hex;
  for (const uint8_t octet : set->rdatas[0]) hex += fmt::format("{:02x}", octet);
  return hex;
}

std::string HexOf(std::string_view rdata) {
  const std::string text = fmt::format("a {}\n", rdata);
  const auto zone = ReadRest(text);
  if (!zone.ok()) return ErrorOf(zone);
  const Node* node = zone->Find(N("a.x.org"));
  return HexOf(zone, "a.x.org", node->sets[0].type);
}

TEST(ReadZone, WritesRdataUncompressed) {
  struct Row {
    const char *text, *hex;
  };
  for (const Row& row : std::initializer_list<Row>{
           {"A 192.0.2.1", "c0000201"},
           {"IN AAAA 2001:db8::1", "20010db8000000000000000000000001"},
           {"MX 10 mail", "000a046d61696c0178036f726700"},
           {"mx 10 mail.else.", "000a046d61696c04656c736500"},
           {"MX 10 @", "000a0178036f726700"},
           {"TXT \"a;b\" c\\;d \"e\\\"f\" \\065 \"(\"", "03613b6203633b640365226601410128"},
           {"TXT a\\ b \"\"", "0361206200"},
           {"TXT \xc3\xa9", "02c3a9"},
           {"CNAME a\\.b", "03612e620178036f726700"},
           {"SRV 1 2 3 s", "00010002000301730178036f726700"},
           {"CAA 0 issue \"ca.else\"", "000569737375656361 2e656c7365"},
           {"TYPE65280 \\# 3 01 0203", "010203"},
           {"TYPE65280 \\# 0", ""},
           {"TYPE1 \\# 4 c0000201", "c0000201"},
           {"A \\# 4 C0000201", "c0000201"},
           {"TYPE15 10 mail", "000a046d61696c0178036f726700"},
           {"HTTPS 1 . alpn=\"h2,h3\" port=8443", "000100000100060268320268330003000220fb"},
           {"HTTPS 1 . key65000=\"a b;c\"", "000100fde80005612062 3b63"},
           {"SVCB 0 svc", "0000037376630178036f726700"},
           {"HTTPS 1 . ipv4hint=192.0.2.1 ipv6hint=2001:db8::1",
            "00010000040004c00002010006001020010db8000000000000000000000001"},
           {"TLSA 3 1 1 aabb ccdd", "030101aabbccdd"},
           {"DS 1 8 2 00ff", "0001080200ff"},
           {"IPSECKEY 10 0 0 .", "0a0000"},
           {"IPSECKEY 10 0 2 . AQ ID", "0a0002010203"},
           {"IPSECKEY 10 1 2 192.0.2.1 AQID", "0a0102c0000201010203"},
           {"IPSECKEY 10 2 2 2001:db8::1 AQID", "0a020220010db8000000000000000000000001010203"},
           {"IPSECKEY 10 3 2 gate AQI=", "0a0302046761746501780 36f7267000102"}}) {
    std::string hex = row.hex;
    std::erase(hex, ' ');
    EXPECT_EQ(HexOf(row.text), hex) << row.text;
  }
}

TEST(ReadZone, ReadsTheFormsOfRfc1035) {
  const auto zone = Read(
      "; a comment\r\n"
      "$ORIGIN org.\r\n"
      "$TTL 1h30m\r\n"
      "x  IN  SOA ns.else. host.x ( 2026010100 ; serial\r\n"
      "   1d 2h\t; timers (\r\n"
      "\r\n"
      "   4w 5m )\r\n"
      "   NS ns.else.\r\n"
      "$ORIGIN x\r\n"
      "a 60 IN A 192.0.2.1\r\n"
      "  IN 60 A 192.0.2.2\r\n"
      "(b\r\n"
      "  TXT\r\n"
      ") ( one\r\n"
      "  \"two ) ; not a comment\" )\r\n"
      "C.X.org. 1W2D A 192.0.2.3\r\n"
      "c a 192.0.2.4");
  EXPECT_EQ(ErrorOf(zone).find("z/db:17: c.x.org.: the TTL is 5400, but 777600 in the other records"), 0u)
      << ErrorOf(zone);
  const auto good = Read(
      "$TTL 1h30m\n@ SOA ns.else. host ( 2026010100\n 1d 2h 4w 5m )\n NS ns.else.\na 60 IN A 192.0.2.1\n IN "
      "60 A "
      "192.0.2.2\n(b\n TXT\n) ( one\n \"two ) ; not\" )\n$ORIGIN sub\nd A 192.0.2.4");
  EXPECT_EQ(HexOf(good, "b.x.org", RrType::kTxt), "036f6e650b74776f2029203b206e6f74");
  EXPECT_EQ(Find(good, "a.x.org", RrType::kA)->rdatas.size(), 2u);
  EXPECT_EQ(Find(good, "a.x.org", RrType::kA)->ttl, 60s);
  EXPECT_EQ(Find(good, "d.sub.x.org", RrType::kA)->ttl, 5400s);
  EXPECT_EQ(good->negative_ttl(), 300s);
}

TEST(ReadZone, TakesTheTtlOfTheRecordBeforeWithoutADefault) {
  const auto zone =
      Read("@ 90 SOA ns.else. host 1 2 3 4 5\n NS ns.else.\na 30 TXT a\nb TXT b\n$TTL 7\nc TXT c\n");
  EXPECT_EQ(Find(zone, "x.org", RrType::kNs)->ttl, 90s);
  EXPECT_EQ(Find(zone, "b.x.org", RrType::kTxt)->ttl, 30s);
  EXPECT_EQ(Find(zone, "c.x.org", RrType::kTxt)->ttl, 7s);
}

TEST(ReadZone, DropsRecordsThatAreThereTwice) {
  EXPECT_EQ(Find(ReadRest("a A 192.0.2.1\nA A 192.0.2.1\n"), "a.x.org", RrType::kA)->rdatas.size(), 1u);
}

TEST(ReadZone, IncludesFilesWithAnOriginOfTheirOwn) {
  const auto zone = ReadRest("$INCLUDE sub/one two\nc TXT c\n",
                             {{"z/sub/one", "a TXT a\n$ORIGIN else\nb TXT b\n$INCLUDE two ; same folder\n"},
                              {"z/sub/two", "@ MX 1 .\n"}});
  for (const char* name : {"a.two.x.org", "b.else.two.x.org", "c.x.org"}) {
    EXPECT_NE(Find(zone, name, RrType::kTxt), nullptr) << name;
  }
  EXPECT_NE(Find(zone, "else.two.x.org", RrType::kMx), nullptr);
  const auto blank = ReadRest("a TXT a\n$INCLUDE one\n TXT b\n", {{"z/one", "q TXT q\n"}});
  EXPECT_EQ(Find(blank, "a.x.org", RrType::kTxt)->rdatas.size(), 2u) << "the owner is the includer's again";
}

TEST(ReadZone, NamesTheLineOfWhatCannotBeRead) {
  struct Row {
    const char *records, *error;
  };
  for (const Row& row : std::initializer_list<Row>{
           {"a A 1.2.3\n", "z/db:4: A: "},
           {"\n\na A ( ; x\n 1.2.3\n)\n", "z/db:6: A: "},
           {"a A (\n192.0.2.1\n", "z/db:4: \"(\" is never closed: add a \")\""},
           {"a A (\n(192.0.2.1 ))\n", "z/db:5: \"(\" within parentheses: they don't nest"},
           {"a A 192.0.2.1 )\n", "z/db:4: \")\" without a \"(\" before it"},
           {"a TXT (\n\"open\n)\n", "z/db:5: a quote is not closed on its line: add a '\"'"},
           {"a TXT \\\n", "z/db:4: \"\\\" needs a character after it"},
           {"a TXT a\x01\n", "z/db:4: a control character: write it as \\DDD, or remove it"},
           {"a TXT \\999\n", "z/db:4: TXT: \"\\999\": an escape is \\DDD"},
           {"a TXT\n", "z/db:4: TXT: the record has no data"},
           {"a (\n 60\n IN\n)\n", "z/db:4: the record has no type"},
           {"a (\n NOPE x )\n",
            "z/db:5: \"NOPE\" is not a record type: write unknown ones as TYPE and a number"},
           {"a (\n CH TXT x )\n", "z/db:5: the class \"CH\" is not served: only IN is"},
           {"a CLASS4 TXT x\n", "z/db:4: the class \"CLASS4\" is not served: only IN is"},
           {"a 1x TXT x\n", "z/db:4: \"1x\" is not a TTL, such as 3600 or 1h30m"},
           {"a 2147483648 TXT x\n", "z/db:4: the TTL 2147483648 is above 2147483647 (RFC 2181 section 8)"},
           {"a 4000w TXT x\n", "z/db:4: the TTL 4000w is above 2147483647 (RFC 2181 section 8)"},
           {"$TTL\n", "z/db:4: $TTL takes one value, such as \"$TTL 3600\""},
           {"$ORIGIN a b\n", "z/db:4: $ORIGIN takes one name"},
           {"$GENERATE 1-2 a A 1\n",
            "z/db:4: \"$GENERATE\" is not supported: $ORIGIN, $TTL and $INCLUDE are"},
           {"$INCLUDE\n", "z/db:4: $INCLUDE takes a file, and may take an origin"},
           {"$INCLUDE no\n", "z/db:4: z/no: cannot be read"},
           {"a..b TXT x\n", "z/db:4: not a domain name: \"a..b\": a label is empty"},
           {"\"a\" TXT x\n", "z/db:4: \"a\": a name is written without quotes"},
           {"a TYPE65280 \\# 2 00\n",
            "z/db:4: TYPE65280: \"\\# 2\" needs 4 hexadecimal digits after it, not 2"},
           {"a TYPE65280 \\# x\n", "z/db:4: TYPE65280: \"\\# x\": the length is a number up to 65535"},
           {"a TYPE65280 \\# 1 0g\n", "z/db:4: TYPE65280: \"0g\" is not hexadecimal"},
           {"a TYPE65280 x\n", "z/db:4: TYPE65280: "},
           {"a A \\# 3 000000\n", "z/db:4: a.x.org.: the record's data is not what its type asks for"},
           {"a IPSECKEY 1 0 0\n", "z/db:4: IPSECKEY: takes precedence, gateway type, algorithm, gateway"},
           {"a IPSECKEY 256 0 0 .\n", "z/db:4: IPSECKEY: \"256\" is not a number up to 255"},
           {"a IPSECKEY 1 0 0 x\n", "z/db:4: IPSECKEY: \"x\" is no gateway of type 0"},
           {"a IPSECKEY 1 1 0 ::1\n", "z/db:4: IPSECKEY: \"::1\" is no gateway of type 1"},
           {"a IPSECKEY 1 2 0 1.2.3.4\n", "z/db:4: IPSECKEY: \"1.2.3.4\" is no gateway of type 2"},
           {"a IPSECKEY 1 3 0 a..b\n", "z/db:4: IPSECKEY: not a domain name: \"a..b\""},
           {"a IPSECKEY 1 4 0 .\n", "z/db:4: IPSECKEY: \".\" is no gateway of type 4"},
           {"a IPSECKEY 1 0 0 . !\n", "z/db:4: IPSECKEY: the key \"!\" is not base64"},
           {"a OPT \\# 0\n", "z/db:4: a zone cannot hold records of this type"},
           {"a TYPE255 \\# 0\n", "z/db:4: a zone cannot hold records of this type"},
           {"a RRSIG \\# 0\n", "z/db:4: the zone is signed, and signatures are not served"},
           {"y.org. TXT x\n", "z/db:4: y.org.: not within the zone x.org."}}) {
    EXPECT_THAT(ErrorOf(ReadRest(row.records)), ::testing::StartsWith(row.error)) << row.records;
  }
  EXPECT_EQ(ErrorOf(Read(" SOA a b 1 2 3 4 5\n")),
            "z/db:1: the first record of a file needs an owner: start its line with one");
  EXPECT_EQ(ErrorOf(Read("@ SOA a b 1 2 3 4 5\n")),
            "z/db:1: the record has no TTL: give it one, or write \"$TTL 3600\" above");
}

TEST(ReadZone, NamesTheIncludedFile) {
  EXPECT_THAT(ErrorOf(ReadRest("$INCLUDE one\n", {{"z/one", "a TXT a\n\nb A 1\n"}})),
              ::testing::StartsWith("z/one:3: A: "));
  EXPECT_THAT(ErrorOf(ReadRest("$INCLUDE one\na TXT x\n", {{"z/one", "\na CNAME b\n"}})),
              ::testing::StartsWith("z/one:2: a.x.org.: a CNAME and other records have the same name"));
}

TEST(ReadZone, RefusesABrokenZoneWhole) {
  struct Row {
    const char *records, *error;
  };
  for (const Row& row : std::initializer_list<Row>{
           {"@ SOA ns.else. host 2 2 3 4 5\n",
            "z/db:2: x.org.: the zone has more than one SOA record: leave one"},
           {"a SOA ns.else. host 2 2 3 4 5\n",
            "z/db:4: a.x.org.: a SOA record stands only at the zone's apex"},
           {"a TXT x\na CNAME b\n",
            "z/db:5: a.x.org.: a CNAME and other records have the same name: remove either (RFC "
            "1034 section 3.6.2)"},
           {"@ CNAME b\n",
            "z/db:4: x.org.: a CNAME and other records have the same name: remove either (RFC 1034 "
            "section 3.6.2)"},
           {"a CNAME b\na CNAME c\n", "z/db:4: a.x.org.: more than one CNAME record: leave one"},
           {"d DNAME b\nd CNAME c\n",
            "z/db:5: d.x.org.: a CNAME and other records have the same name: remove either "
            "(RFC 1034 section 3.6.2)"},
           {"d DNAME b\nd DNAME c\n",
            "z/db:4: d.x.org.: more than one DNAME record: leave one (RFC 6672 section 2.4)"},
           {"d DNAME b\na.d TXT c\n",
            "z/db:5: a.d.x.org.: d.x.org. has a DNAME, so nothing can lie below it (RFC 6672 section 2.4)"},
           {"d NS ns.else.\nd DNAME b\n",
            "z/db:5: d.x.org.: a DNAME at a delegation: remove either (RFC 6672 section 2.3)"},
           {"* DNAME b\n", "z/db:4: *.x.org.: a wildcard cannot own a DNAME (RFC 4592)"},
           {"* NS b.else.\n", "z/db:4: *.x.org.: a wildcard cannot own NS records (RFC 4592)"},
           {"a 1 TXT x\na 2 TXT y\n",
            "z/db:5: a.x.org.: the TTL is 2, but 1 in the other records of this name and type: make them "
            "equal (RFC "
            "2181 section 5.2)"},
           {"c CNAME b\ns NS c\n",
            "z/db:5: s.x.org.: NS names c.x.org., which is a CNAME: name what that stands for (RFC 2181 "
            "section 10.3)"},
           {"c CNAME b\ns MX 1 c\n",
            "z/db:5: s.x.org.: MX names c.x.org., which is a CNAME: name what that stands for (RFC 2181 "
            "section 10.3)"},
           {"s NS ns.s\n",
            "z/db:4: s.x.org.: the name server ns.s.x.org. lies in this zone but has no address: add an A "
            "or AAAA record"}}) {
    EXPECT_EQ(ErrorOf(ReadRest(row.records)), row.error) << row.records;
  }
  EXPECT_THAT(ErrorOf(Read("$TTL 1\n@ NS ns.else.\n")),
              HasSubstr("x.org.: the zone has no SOA record at its apex"));
  EXPECT_EQ(ErrorOf(Read("$TTL 1\n@ SOA a.else. b 1 2 3 4 5\n")),
            "z/db:2: x.org.: the zone has no NS record at its apex: add one, \"@ NS ...\"");
  EXPECT_THAT(ErrorOf(Read("")), HasSubstr("no SOA record"));
}

TEST(ReadZone, ASiblingDelegationsServerIsItsOwnMatter) {
  EXPECT_EQ(ErrorOf(ReadRest("a NS ns.b\nb NS ns.else.\n")), "OK");
  EXPECT_EQ(ErrorOf(ReadRest("a NS ns.else.\nb.a NS ns.b.a\n")), "OK") << "below a delegation";
}

TEST(ReadZone, SteersOnlyWhereThatCanBe) {
  const auto error = [](const char* records, const char* name) {
    return ErrorOf(ReadRest(records, {}, {N(name)}));
  };
  EXPECT_EQ(error("a TXT x\n", "a.x.org"), "OK");
  EXPECT_EQ(error("a TXT x\n\na A 192.0.2.1\n", "a.x.org"),
            "z/db:6: a.x.org.: a steered name cannot have A or AAAA records of its own: remove them");
  EXPECT_EQ(error("a CNAME b\n", "a.x.org"),
            "z/db:4: a.x.org.: a steered name cannot be a CNAME: remove either");
  for (const char* name : {"s.x.org", "a.s.x.org", "*.s.x.org"}) {
    EXPECT_THAT(error("s NS ns.else.\n", name),
                HasSubstr(": a steered name cannot lie at or below the delegation s.x.org.: steer it there"));
  }
  EXPECT_THAT(error("d DNAME else.\n", "a.d.x.org"), HasSubstr("a.d.x.org.: d.x.org. has a DNAME"));
  EXPECT_THAT(error("", "y.org"), HasSubstr("y.org.: not within the zone x.org."));
}

TEST(ReadZone, StopsAtItsLimits) {
  EXPECT_THAT(ErrorOf(ReadRest("$INCLUDE me\n", {{"z/me", "$INCLUDE me\n"}})),
              HasSubstr("z/me:1: $INCLUDE is nested more than 8 deep"));
  std::string many;
  for (size_t i = 0; i <= kMaxIncludes; ++i) many += "$INCLUDE e\n";
  EXPECT_EQ(ErrorOf(ReadRest(many, {{"z/e", ""}})), "z/db:1004: more than 1000 $INCLUDEs");
  EXPECT_EQ(ErrorOf(Read(std::string(kMaxZoneText + 1, '\n'))),
            "z/db:1: the zone's files are larger than 64 MiB together");
  EXPECT_EQ(ErrorOf(ReadRest("a TXT " + std::string(kMaxEntrySize, 'x') + "\n")),
            "z/db:4: the entry is longer than 160000 octets");
  EXPECT_THAT(ErrorOf(ReadRest("a TXT \"" + std::string(kMaxRdataText, 'x') + "\"\n")),
              HasSubstr("z/db:4: TXT: the record's data is longer than 8000 octets of text"));
  EXPECT_EQ(ErrorOf(ReadRest("a TYPE65280 \\# 60000 " + std::string(120'000, '0') + "\n")),
            "z/db:4: a.x.org.: the records of this name and type don't fit in one message: remove some");
  std::string types, servers;
  for (size_t i = 0; i <= kMaxSetsPerName; ++i) types += fmt::format("a TYPE{} \\# 0\n", 65280 + i);
  EXPECT_EQ(ErrorOf(ReadRest(types)), "z/db:68: a.x.org.: a name has at most 64 types of records");
  for (size_t i = 0; i <= kMaxNameServers; ++i) servers += fmt::format("a NS n{}.else.\n", i);
  EXPECT_EQ(ErrorOf(ReadRest(servers)), "z/db:4: a.x.org.: more than 32 name servers");
  std::string records;
  for (size_t i = 0; i < kMaxZoneRecords; ++i) records += "a A \\# 4 01020304\n";
  EXPECT_EQ(ErrorOf(ReadRest(records)), "z/db:1000002: more than 1000000 records");
}

TEST(LoadZoneFile, ReadsFromTheDisk) {
  const TemporaryFolder folder;
  std::ofstream(folder / "db") << kHead << "$INCLUDE more\n";
  std::ofstream(folder / "more") << "a A 192.0.2.1\n";
  EXPECT_NE(Find(LoadZoneFile(folder / "db", N("x.org"), {}), "a.x.org", RrType::kA), nullptr);
  EXPECT_THAT(ErrorOf(LoadZoneFile(folder / "none", N("x.org"), {})),
              HasSubstr("none\": there is no such file"));
  EXPECT_THAT(ErrorOf(LoadZoneFile(folder.path(), N("x.org"), {})), HasSubstr("is a directory"));
  EXPECT_THAT(ErrorOf(LoadZoneFile("/dev/zero", N("x.org"), {})), HasSubstr("larger than"));
}

}  // namespace
}  // namespace perigee::dns
