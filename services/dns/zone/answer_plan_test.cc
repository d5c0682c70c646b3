#include "services/dns/zone/answer_plan.h"

#include <string>
#include <vector>

#include "fmt/format.h"
#include "gmock/gmock.h"
#include "services/dns/responder/testing/allocation_counter.h"
#include "services/dns/zone/testing/plans.h"

namespace perigee::dns {
namespace {

using testing::Ask;
using ::testing::HasSubstr;
using testing::N;
using ::testing::Not;
using testing::ZoneOf;

template <typename... Zones>
ZoneSet SetOf(Zones... zones) {
  std::vector<Zone> all;
  (all.push_back(std::move(zones)), ...);
  return MakeZoneSet(std::move(all), {"perigee 0.1", "director-1"}).value();
}

constexpr RrType kA = RrType::kA, kAaaa = RrType::kAaaa, kMx = RrType::kMx, kTxt = RrType::kTxt,
                 kNs = RrType::kNs, kCname = RrType::kCname, kAny = RrType::kAny, kSrv = RrType::kSrv,
                 kDs = RrType::kDs, kDname = RrType::kDname, kSoa = RrType::kSoa;

struct Case {
  const char* name;
  RrType type;
  const char* plan;
};

void Check(const ZoneSet& zones, std::initializer_list<Case> cases) {
  for (const Case& c : cases) {
    EXPECT_EQ(Ask(zones, c.name, c.type), c.plan) << c.name << " " << static_cast<int>(c.type);
  }
}

constexpr std::string_view kHead = "$TTL 3600\n@ SOA ns.else. host.else. 1 2 3 4 3600\n@ NS ns.else.\n";

std::string Text(std::string_view records) { return std::string(kHead) + std::string(records); }

// RFC 1034 §6.1, in part, and the questions of §6.2.
ZoneSet Rfc1034() {
  return SetOf(ZoneOf(".", R"($TTL 86400
. IN SOA SRI-NIC.ARPA. HOSTMASTER.SRI-NIC.ARPA. (
                870611          ;serial
                1800            ;refresh every 30 min
                300             ;retry every 5 min
                604800          ;expire after a week
                86400)          ;minimum of a day
        NS      A.ISI.EDU.
        NS      C.ISI.EDU.
        NS      SRI-NIC.ARPA.
MIL.    NS      SRI-NIC.ARPA.
        NS      A.ISI.EDU.
EDU.    NS      SRI-NIC.ARPA.
        NS      C.ISI.EDU.
SRI-NIC.ARPA.   A       26.0.0.73
                A       10.0.0.51
                MX      0 SRI-NIC.ARPA.
                HINFO   DEC-2060 TOPS20
ACC.ARPA.       A       26.6.0.65
                HINFO   PDP-11/70 UNIX
                MX      10 ACC.ARPA.
USC-ISIC.ARPA.  CNAME   C.ISI.EDU.
73.0.0.26.IN-ADDR.ARPA.  PTR    SRI-NIC.ARPA.
A.ISI.EDU.      86400 A  26.3.0.103
C.ISI.EDU.      86400 A  10.0.0.52
)"));
}

TEST(PlanAnswer, AnswersTheQuestionsOfRfc1034) {
  Check(Rfc1034(),
        {{"SRI-NIC.ARPA", kA,
          "NOERROR aa an: SRI-NIC.ARPA. A 26.0.0.73/86400 an: SRI-NIC.ARPA. A 10.0.0.51/86400"},
         {"SRI-NIC.ARPA", kMx,
          "NOERROR aa an: SRI-NIC.ARPA. MX SRI-NIC.ARPA./86400 ad: SRI-NIC.ARPA. A 26.0.0.73/86400 "
          "ad: SRI-NIC.ARPA. A 10.0.0.51/86400"},
         {"SRI-NIC.ARPA", kNs, "NOERROR nodata aa au: . SOA/86400"},
         {"SIR-NIC.ARPA", kA, "NXDOMAIN aa au: . SOA/86400"},
         {"BRL.MIL", kA,
          "NOERROR referral au: MIL. NS SRI-NIC.ARPA./86400 au: MIL. NS A.ISI.EDU./86400 "
          "ad: SRI-NIC.ARPA. A 26.0.0.73/86400 ad: SRI-NIC.ARPA. A 10.0.0.51/86400 "
          "ad: A.ISI.EDU. A 26.3.0.103/86400"},
         {"USC-ISIC.ARPA", kCname, "NOERROR aa an: USC-ISIC.ARPA. CNAME C.ISI.EDU./86400"},
         {"USC-ISIC.ARPA", kA,
          "NOERROR aa an: USC-ISIC.ARPA. CNAME C.ISI.EDU./86400 au: EDU. NS SRI-NIC.ARPA./86400 "
          "au: EDU. NS C.ISI.EDU./86400 gl: C.ISI.EDU. A 10.0.0.52/86400 "
          "ad: SRI-NIC.ARPA. A 26.0.0.73/86400 ad: SRI-NIC.ARPA. A 10.0.0.51/86400"}});
}

// RFC 4592 §2.2.1.
ZoneSet Rfc4592() {
  return SetOf(ZoneOf("example", R"($ORIGIN example.
example.                 3600 IN  SOA   ns.example.com. host.example.com. 1 2 3 4 3600
example.                 3600     NS    ns.example.com.
example.                 3600     NS    ns.example.net.
*.example.               3600     TXT   "this is a wildcard"
*.example.               3600     MX    10 host1.example.
sub.*.example.           3600     TXT   "this is not a wildcard"
host1.example.           3600     A     192.0.2.1
_ssh._tcp.host1.example. 3600     SRV   0 0 22 host1.example.
_ssh._tcp.host2.example. 3600     SRV   0 0 22 host1.example.
subdel.example.          3600     NS    ns.example.com.
subdel.example.          3600     NS    ns.example.net.
)"));
}

TEST(PlanAnswer, AnswersTheQuestionsOfRfc4592) {
  const std::string mx = " MX host1.example. ad: host1.example. A 192.0.2.1";
  const ZoneSet zones = Rfc4592();
  EXPECT_EQ(Ask(zones, "host3.example", kMx), "NOERROR aa an: host3.example." + mx);
  EXPECT_EQ(Ask(zones, "*.example", kMx), "NOERROR aa an: *.example." + mx);
  EXPECT_EQ(Ask(zones, "foo.bar.example", kMx), "NOERROR aa an: foo.bar.example." + mx);
  Check(zones,
        {{"host3.example", kA, "NOERROR nodata aa au: example. SOA"},
         {"foo.bar.example", kTxt, "NOERROR aa an: foo.bar.example. TXT this is a wildcard"},
         {"host1.example", kMx, "NOERROR nodata aa au: example. SOA"},
         {"sub.*.example", kMx, "NOERROR nodata aa au: example. SOA"},
         {"_telnet._tcp.host1.example", kSrv, "NXDOMAIN aa au: example. SOA"},
         {"host.subdel.example", kA,
          "NOERROR referral au: subdel.example. NS ns.example.com. au: subdel.example. NS ns.example.net."},
         {"ghost.*.example", kMx, "NXDOMAIN aa au: example. SOA"},
         {"_tcp.host1.example", kTxt, "NOERROR nodata aa au: example. SOA"},
         {"host2.example", kMx, "NOERROR nodata aa au: example. SOA"},
         {"_ssh._tcp.host2.example", kSrv,
          "NOERROR aa an: _ssh._tcp.host2.example. SRV host1.example. ad: host1.example. A 192.0.2.1"}});
}

TEST(PlanAnswer, TakesTheWildcardOfTheClosestEncloserOnly) {
  Check(SetOf(ZoneOf("x", Text("* TXT top\nb TXT b\n*.c.d TXT deep\na.*.e A 192.0.2.1\n*.l CNAME b\n"))),
        {{"a.x", kTxt, "NOERROR aa an: a.x. TXT top"},
         {"a.b.x", kTxt, "NXDOMAIN aa au: x. SOA"},
         {"a.d.x", kTxt, "NXDOMAIN aa au: x. SOA"},
         {"p.q.c.d.x", kTxt, "NOERROR aa an: p.q.c.d.x. TXT deep"},
         {"p.e.x", kTxt, "NOERROR nodata aa au: x. SOA"},
         {"*.e.x", kTxt, "NOERROR nodata aa au: x. SOA"},
         {"p.l.x", kTxt, "NOERROR aa an: p.l.x. CNAME b.x. an: b.x. TXT b"},
         {"p.l.x", kCname, "NOERROR aa an: p.l.x. CNAME b.x."}});
}

// RFC 6672 §2.2's table, with its targets in a zone of ours so that the name that was made is seen.
TEST(PlanAnswer, ReplacesNamesAsRfc6672Says) {
  const auto redirect = [](const char* owner, const char* target) {
    return SetOf(ZoneOf(".", "$TTL 3600\n. SOA a. b. 1 2 3 4 3600\n. NS ns.else.\nns.else. A 192.0.2.1\n" +
                                 std::string(owner) + " DNAME " + target + "\n"));
  };
  struct Row {
    const char *qname, *owner, *target, *result;
  };
  for (const Row& row :
       std::initializer_list<Row>{{"com.", "example.com.", "example.net.", nullptr},
                                  {"example.com.", "example.com.", "example.net.", nullptr},
                                  {"a.example.com.", "example.com.", "example.net.", "a.example.net."},
                                  {"a.b.example.com.", "example.com.", "example.net.", "a.b.example.net."},
                                  {"ab.example.com.", "b.example.com.", "example.net.", nullptr},
                                  {"foo.example.com.", "example.com.", "example.net.", "foo.example.net."},
                                  {"a.x.example.com.", "x.example.com.", "example.net.", "a.example.net."},
                                  {"a.example.com.", "example.com.", "y.example.net.", "a.y.example.net."},
                                  {"cyc.example.com.", "example.com.", "example.com.", "cyc.example.com."},
                                  {"shortloop.x.x.", "x.", ".", "shortloop.x."}}) {
    const std::string plan = Ask(redirect(row.owner, row.target), row.qname, kCname);
    if (row.result == nullptr) {
      EXPECT_THAT(plan, Not(HasSubstr(" an: "))) << row.qname;
    } else {
      EXPECT_EQ(plan, std::string("NOERROR aa an: ") + row.owner + " DNAME " + row.target +
                          " an: " + row.qname + " CNAME " + row.result);
    }
  }
}

TEST(PlanAnswer, FollowsDnamesAndGivesTheMadeCnameTheirTtl) {
  Check(SetOf(ZoneOf("x",
                     Text("d 60 DNAME t\nd TXT own\na.t A 192.0.2.1\nloop DNAME loop\nout DNAME else.\n"))),
        {{"d.x", kTxt, "NOERROR aa an: d.x. TXT own"},
         {"d.x", kDname, "NOERROR aa an: d.x. DNAME t.x./60"},
         {"a.d.x", kA, "NOERROR aa an: d.x. DNAME t.x./60 an: a.d.x. CNAME a.t.x./60 an: a.t.x. A 192.0.2.1"},
         {"b.d.x", kA, "NXDOMAIN aa an: d.x. DNAME t.x./60 an: b.d.x. CNAME b.t.x./60 au: x. SOA"},
         {"b.d.x", kAny, "NOERROR aa an: d.x. DNAME t.x./60 an: b.d.x. CNAME b.t.x./60"},
         {"b.out.x", kA, "NOERROR aa an: out.x. DNAME else. an: b.out.x. CNAME b.else."},
         {"b.loop.x", kA, "NOERROR aa an: loop.x. DNAME loop.x. an: b.loop.x. CNAME b.loop.x."}});
}

TEST(PlanAnswer, SaysYxdomainWhenTheMadeNameIsTooLong) {
  const std::string label(63, 'l');
  const std::string target = label + "." + label + ".x.";
  const ZoneSet zones = SetOf(ZoneOf("x", Text("d DNAME " + target + "\n")));
  EXPECT_EQ(Ask(zones, label + "." + label + ".d.x", kA), "YXDOMAIN aa an: d.x. DNAME " + target);
  EXPECT_THAT(Ask(zones, label + ".d.x", kA), HasSubstr("NXDOMAIN aa"));
}

TEST(PlanAnswer, FillsAPlanAnewAsOftenAsItIsAsked) {
  const ZoneSet zones = SetOf(ZoneOf("x.org", Text("d DNAME e\n")));
  const Name below = N("a.d.x.org"), other = N("y.org");
  AnswerPlan plan;
  for (size_t i = 0; i <= kMaxPlannedSets; ++i) {
    PlanAnswer(zones, below, kA, RrClass::kIn, &plan);
    ASSERT_EQ(plan.sets().size(), 3U);  // the DNAME, the CNAME that it makes, and no e.x.org
  }
  PlanAnswer(zones, other, kA, RrClass::kIn, &plan);
  EXPECT_TRUE(plan.sets().empty());
  EXPECT_FALSE(plan.authoritative());
}

TEST(PlanAnswer, ReferralsCarryGlueAndAreNotAuthoritative) {
  const ZoneSet zones = SetOf(
      ZoneOf("x", Text("sub NS ns.sub\nsub NS ns.sib\nsub NS ns.far.\nsub DS 1 8 2 00\nsub TXT "
                       "occluded\nns.sub A 192.0.2.1\n"
                       "ns.sub AAAA 2001:db8::1\nsib NS ns.sib\nns.sib A 192.0.2.2\ndeep.sub NS ns.else.\n"
                       "*.sub A 192.0.2.9\n")));
  const std::string referral =
      "NOERROR referral au: sub.x. NS ns.sub.x. au: sub.x. NS ns.sib.x. au: sub.x. NS ns.far. gl: ns.sub.x. "
      "A "
      "192.0.2.1 gl: ns.sub.x. AAAA 2001:db8::1 ad: ns.sib.x. A 192.0.2.2";
  for (const char* name : {"sub.x", "a.sub.x", "ns.sub.x", "deep.sub.x", "a.deep.sub.x"}) {
    EXPECT_EQ(Ask(zones, name, kA), referral) << name;
    EXPECT_EQ(Ask(zones, name, kAny), referral) << name;
  }
  for (const RrType type : {kTxt, kNs, kSoa}) EXPECT_EQ(Ask(zones, "sub.x", type), referral);
  Check(zones,
        {{"sub.x", kDs, "NOERROR aa an: sub.x. TYPE43"}, {"sib.x", kDs, "NOERROR nodata aa au: x. SOA"}});
  EXPECT_EQ(Ask(zones, "ns.sub.x", kDs), referral);
}

TEST(PlanAnswer, GivesTheGlueOfAsManyServersAsADelegationMayHave) {
  std::string text;
  for (int i = 0; i < 32; ++i) {
    text += fmt::format("sub NS n{0}.sub\nn{0}.sub A 192.0.2.{0}\nn{0}.sub AAAA 2001:db8::{0}\n", i);
  }
  const ZoneSet zones = SetOf(ZoneOf("x", Text(text)));
  AnswerPlan plan;
  const Name qname = N("a.sub.x");
  PlanAnswer(zones, qname, kA, RrClass::kIn, &plan);
  EXPECT_EQ(plan.sets().size(), 65u);
}

TEST(PlanAnswer, ParentsAnswerForDsAndChildrenForAllElse) {
  const ZoneSet zones =
      SetOf(ZoneOf("x", Text("sub NS ns.else.\nsub DS 1 8 2 00\nmail MX 1 m.sub\n")),
            ZoneOf("sub.x", Text("@ A 192.0.2.1\nm A 192.0.2.2\n")), ZoneOf("lost.x", Text("")));
  Check(zones, {{"sub.x", kDs, "NOERROR aa an: sub.x. TYPE43"},
                {"sub.x", kA, "NOERROR aa an: sub.x. A 192.0.2.1"},
                {"lost.x", kDs, "NOERROR nodata aa au: lost.x. SOA"},
                {"x", kDs, "NOERROR nodata aa au: x. SOA"},
                {"mail.x", kMx, "NOERROR aa an: mail.x. MX m.sub.x. ad: m.sub.x. A 192.0.2.2"},
                {"b.sub.x", kA, "NXDOMAIN aa au: sub.x. SOA"}});
}

TEST(PlanAnswer, FollowsChainsThroughZonesAndTheLastNameDecides) {
  const ZoneSet zones = SetOf(
      ZoneOf("x",
             Text("a CNAME b\nb CNAME c.y.\nout CNAME w.else.\nself CNAME self\nl1 CNAME l2\nl2 CNAME l1\n"
                  "del CNAME h.sub\nsub NS ns.else.\n*.w CNAME q.w\n")),
      ZoneOf("y", "$TTL 60\n@ SOA n. h. 1 2 3 4 30\n@ NS ns.else.\nc CNAME d\nn CNAME none\nd TXT end\n"));
  Check(zones,
        {{"a.x", kTxt,
          "NOERROR aa an: a.x. CNAME b.x. an: b.x. CNAME c.y. an: c.y. CNAME d.y./60 an: d.y. TXT end/60"},
         {"b.x", kA, "NOERROR nodata aa an: b.x. CNAME c.y. an: c.y. CNAME d.y./60 au: y. SOA/30"},
         {"n.y", kA, "NXDOMAIN aa an: n.y. CNAME none.y./60 au: y. SOA/30"},
         {"a.x", kCname, "NOERROR aa an: a.x. CNAME b.x."},
         {"a.x", kAny, "NOERROR aa an: a.x. CNAME b.x."},
         {"out.x", kA, "NOERROR aa an: out.x. CNAME w.else."},
         {"self.x", kA, "NOERROR aa an: self.x. CNAME self.x."},
         {"l1.x", kA, "NOERROR aa an: l1.x. CNAME l2.x. an: l2.x. CNAME l1.x."},
         {"del.x", kA, "NOERROR aa an: del.x. CNAME h.sub.x. au: sub.x. NS ns.else."},
         {"p.w.x", kA, "NOERROR aa an: p.w.x. CNAME q.w.x. an: q.w.x. CNAME q.w.x."}});
}

TEST(PlanAnswer, EndsChainsAtTheLimit) {
  std::string text = "c0 A 192.0.2.1\n";
  for (size_t i = 1; i <= kMaxChain + 1; ++i) text += fmt::format("c{} CNAME c{}\n", i, i - 1);
  const ZoneSet zones = SetOf(ZoneOf("x", Text(text)));
  const auto sets = [&](size_t links) {
    AnswerPlan plan;
    const Name qname = N(fmt::format("c{}.x", links));
    PlanAnswer(zones, qname, kA, RrClass::kIn, &plan);
    EXPECT_EQ(plan.rcode(), Rcode::kNoError);
    return plan.sets().size();
  };
  EXPECT_EQ(sets(kMaxChain - 1), kMaxChain);
  EXPECT_EQ(sets(kMaxChain), kMaxChain) << "without the address";
  EXPECT_EQ(sets(kMaxChain + 1), kMaxChain);
}

TEST(PlanAnswer, SteersNamesWildcardsAndChains) {
  const ZoneSet zones = SetOf(
      ZoneOf("x", Text("@ TXT static\nwww CNAME x.\nw CNAME any.cdn\nt TXT t\n"), {"x", "*.cdn.x", "t.x"}),
      ZoneOf("y", Text("www CNAME t.x.\nd DNAME cdn.x.\n")));
  Check(zones,
        {{"X", kA, "NOERROR aa steered: X."},
         {"x", kAaaa, "NOERROR aa steered: x."},
         {"x", kTxt, "NOERROR aa an: x. TXT static"},
         {"x", kMx, "NOERROR nodata aa au: x. SOA"},
         {"x", kAny, "NOERROR aa an: x. TYPE13"},
         {"www.x", kA, "NOERROR aa an: www.x. CNAME x. steered: x."},
         {"w.x", kA, "NOERROR aa an: w.x. CNAME any.cdn.x. steered: any.cdn.x."},
         {"a.b.cdn.x", kA, "NOERROR aa steered: a.b.cdn.x."},
         {"*.cdn.x", kA, "NOERROR aa steered: *.cdn.x."},
         {"a.cdn.x", kTxt, "NOERROR nodata aa au: x. SOA"},
         {"cdn.x", kA, "NOERROR nodata aa au: x. SOA"},
         {"www.y", kAaaa, "NOERROR aa an: www.y. CNAME t.x. steered: t.x."},
         {"a.d.y", kA, "NOERROR aa an: d.y. DNAME cdn.x. an: a.d.y. CNAME a.cdn.x. steered: a.cdn.x."}});
  AnswerPlan plan;
  const Name qname = N("www.y");
  PlanAnswer(zones, qname, kA, RrClass::kIn, &plan);
  EXPECT_EQ(plan.steered_zone().apex(), N("x"));
}

TEST(PlanAnswer, TheDeeperZoneTakesAwayWhatTheUpperOneSteers) {
  Check(SetOf(ZoneOf("x", Text(""), {"a.sub.x"}), ZoneOf("sub.x", Text("a A 192.0.2.1\n"))),
        {{"a.sub.x", kA, "NOERROR aa an: a.sub.x. A 192.0.2.1"}});
}

TEST(PlanAnswer, AddsAddressesOfTargetsOnce) {
  Check(SetOf(ZoneOf("x",
                     Text("@ NS n\nn A 192.0.2.1\n@ MX 1 n\n@ MX 2 .\ns SRV 1 1 1 n\ns SRV 2 2 2 n\n"
                          "h HTTPS 1 . alpn=h2\nh AAAA 2001:db8::1\nst SRV 1 1 1 x.\n"),
                     {"x"})),
        {{"x", kNs, "NOERROR aa an: x. NS ns.else. an: x. NS n.x. ad: n.x. A 192.0.2.1"},
         {"x", kMx, "NOERROR aa an: x. MX n.x. an: x. MX . ad: n.x. A 192.0.2.1"},
         {"s.x", kSrv, "NOERROR aa an: s.x. SRV n.x. an: s.x. SRV n.x. ad: n.x. A 192.0.2.1"},
         {"st.x", kSrv, "NOERROR aa an: st.x. SRV x."},
         {"h.x", RrType::kHttps, "NOERROR aa an: h.x. TYPE65 ad: h.x. AAAA 2001:db8::1"}});
}

TEST(PlanAnswer, RefusesWhatIsNotServed) {
  const ZoneSet zones = SetOf(ZoneOf("x", Text("a.b TXT t\n"), {"x"}));
  Check(zones, {{"y", kA, "REFUSED"},
                {".", kA, "REFUSED"},
                {"xx", kA, "REFUSED"},
                {"x", RrType::kAxfr, "REFUSED"},
                {"x", RrType::kIxfr, "REFUSED"},
                {"x", RrType::kMaila, "NOTIMP"},
                {"x", RrType::kMailb, "NOTIMP"},
                {"x", RrType::kOpt, "FORMERR"},
                {"x", RrType::kTsig, "FORMERR"},
                {"x", static_cast<RrType>(0), "FORMERR"},
                {"x", static_cast<RrType>(46), "NOERROR nodata aa au: x. SOA"},
                {"x", static_cast<RrType>(65280), "NOERROR nodata aa au: x. SOA"},
                {"b.x", kAny, "NOERROR nodata aa au: x. SOA"},
                {"nothing.x", kAny, "NXDOMAIN aa au: x. SOA"}});
  for (const RrClass other : {RrClass::kNone, RrClass::kAny, static_cast<RrClass>(4)}) {
    EXPECT_EQ(Ask(zones, "x", kA, other), "REFUSED");
  }
  EXPECT_EQ(Ask(ZoneSet(), "x", kA), "REFUSED");
  EXPECT_EQ(Ask(ZoneSet(), "version.bind", kTxt, RrClass::kChaos), "REFUSED");
}

TEST(PlanAnswer, TellsWhoItIsInClassChaos) {
  const ZoneSet zones = SetOf(ZoneOf("x", Text("")));
  for (const char* name : {"VERSION.bind", "version.server"}) {
    EXPECT_THAT(Ask(zones, name, kTxt, RrClass::kChaos), HasSubstr("TXT perigee 0.1/0"));
  }
  for (const char* name : {"hostname.bind", "id.server"}) {
    EXPECT_THAT(Ask(zones, name, kTxt, RrClass::kChaos), HasSubstr("TXT director-1/0"));
  }
  EXPECT_EQ(Ask(zones, "version.bind", kA, RrClass::kChaos), "REFUSED");
  EXPECT_EQ(Ask(zones, "x", kTxt, RrClass::kChaos), "REFUSED");
  EXPECT_EQ(Ask(MakeZoneSet({}, {}).value(), "id.server", kTxt, RrClass::kChaos), "REFUSED");
}

TEST(MakeZoneSet, RefusesTwoZonesOfOneName) {
  std::vector<Zone> zones;
  zones.push_back(ZoneOf("x", Text("")));
  zones.push_back(ZoneOf("X", Text("")));
  EXPECT_EQ(MakeZoneSet(std::move(zones), {}).status().message(), "the zone X. is there twice: remove one");
}

TEST(PlanAnswer, AllocatesNothing) {
  const ZoneSet zones = SetOf(ZoneOf("x",
                                     Text("a CNAME b\nb MX 1 m\nm A 192.0.2.1\nd DNAME x.\nsub NS ns.sub\n"
                                          "ns.sub A 192.0.2.1\n* TXT w\n"),
                                     {"x"}));
  std::vector<Name> names;
  for (const char* name : {"x", "a.x", "a.b.d.x", "h.sub.x", "n.n.n.x", "y"}) names.push_back(N(name));
  AnswerPlan plan;
  const size_t before = testing::AllocationCount();
  for (const Name& name : names) {
    for (const RrType type : {kA, kMx, kTxt, kAny}) PlanAnswer(zones, name, type, RrClass::kIn, &plan);
  }
  PlanAnswer(zones, names[0], kTxt, RrClass::kChaos, &plan);
  EXPECT_EQ(testing::AllocationCount(), before);
}

}  // namespace
}  // namespace perigee::dns
