// What EDNS options, the guard and the telemetry make of queries.
#include <string>

#include "fmt/format.h"
#include "gmock/gmock.h"
#include "lib/base/testing/files.h"
#include "lib/dns_wire/testing/message.h"
#include "services/dns/responder/testing/allocation_counter.h"
#include "services/dns/responder/testing/responder_fixture.h"
#include "services/dns/zone/testing/plans.h"

namespace perigee::dns {
namespace {

using ::testing::AllOf;
using testing::AnswerV4;
using testing::Bytes;
using testing::Decode;
using ::testing::HasSubstr;
using testing::Hex;
using testing::MakeQuery;
using testing::Message;
using testing::OptSpec;
using ::testing::UnorderedElementsAre;

// Options: client subnet 198.18.7.0/24, a client's cookie, and the wish for NSID.
constexpr char kSubnet[] = "00 08 00 07 00 01 18 00 c6 12 07";
constexpr char kClientCookie[] = "00 0a 00 08 01 02 03 04 05 06 07 08";
constexpr char kNsid[] = "00 03 00 00";
constexpr int kSubnetOption = 8, kCookieOption = 10;

// The data of one option of the answer's OPT; empty when it is not there.
Bytes OptionOf(const Message& message, int code) {
  const Bytes& all = message.opt->options;
  for (size_t at = 0; at + 4 <= all.size();) {
    const size_t size = static_cast<size_t>(all[at + 2] << 8 | all[at + 3]);
    const auto data = all.begin() + static_cast<long>(at + 4);
    if ((all[at] << 8 | all[at + 1]) == code) return Bytes(data, data + static_cast<long>(size));
    at += 4 + size;
  }
  return {};
}

// A message of a header and OPT.
Bytes CookieOnly(const Bytes& options) {
  Bytes query = MakeQuery({.name = ".", .opt = OptSpec{.options = options}});
  query[5] = 0;
  query.erase(query.begin() + kHeaderSize, query.begin() + kHeaderSize + 5);
  return query;
}

class ResponderEdnsTest : public testing::ResponderFixture {
 protected:
  // What the guarded authority makes for kClientCookie.
  Bytes CookieFor(std::string_view client) {
    const Cookie cookie{.client = {1, 2, 3, 4, 5, 6, 7, 8}};
    const FullCookie full =
        Guarded().cookies->AnswerTo(cookie, IpAddress::Parse(client).value(), desk_.clock.WallNow());
    return Bytes(full.begin(), full.end());
  }
};

TEST_F(ResponderEdnsTest, ASubnetThatIsBelievedDecidesAndGetsItsScope) {
  Publish(Guarded());
  steering_.Know("198.18.7.1", AnswerV4("198.18.0.9"));  // the network's first address
  const Message steered =
      Ask({.name = "cdn.example.org", .opt = OptSpec{.options = Hex(kSubnet)}}, "198.18.8.8");
  EXPECT_EQ(steered.answer.at(0).text, "198.18.0.9");
  EXPECT_EQ(steered.opt->options, Hex("00 08 00 07 00 01 18 18 c6 12 07"));
  const Message fixed =
      Ask({.name = "ns1.cdn.example.org", .opt = OptSpec{.options = Hex(kSubnet)}}, "198.18.8.8");
  EXPECT_EQ(fixed.opt->options, Hex(kSubnet));
  const Message not_to_be_used = Ask(
      {.name = "cdn.example.org", .opt = OptSpec{.options = Hex("00 08 00 04 00 01 00 00")}}, "198.18.8.8");
  EXPECT_EQ(not_to_be_used.answer.at(0).text, "198.18.0.7");
  EXPECT_EQ(not_to_be_used.opt->options, Hex("00 08 00 04 00 01 00 00"));
}

// RFC 7871 §10: the resolver's own address decides, and the scope covers all of the private space.
TEST_F(ResponderEdnsTest, APrivateSubnetSaysNothingOfTheClientSoItsResolverStandsIn) {
  Authority authority = testing::TalkativeAuthority(&steering_);
  authority.special_networks = SpecialNetworks({*IpPrefix::Parse("198.18.0.0/15")});
  Publish(std::move(authority));
  const auto ask = [this](std::string_view name, const Bytes& subnet) {
    return Ask(MakeQuery({.name = std::string(name), .opt = OptSpec{.options = subnet}}), "198.18.8.8");
  };
  for (const auto& [sent, answered] : {
           std::pair("00 08 00 07 00 01 18 00 0a 01 02", "00 08 00 07 00 01 18 08 0a 01 02"),
           std::pair("00 08 00 08 00 01 20 00 c0 a8 01 01", "00 08 00 08 00 01 20 10 c0 a8 01 01"),
           std::pair("00 08 00 0b 00 02 38 00 fd 12 34 56 78 9a 00",
                     "00 08 00 0b 00 02 38 07 fd 12 34 56 78 9a 00"),
       }) {
    const Message m = ask("cdn.example.org", Hex(sent));
    EXPECT_EQ(m.answer.at(0).text, "198.18.0.7") << "as 198.18.8.8 itself is answered";
    EXPECT_EQ(m.opt->options, Hex(answered));
  }
  EXPECT_EQ(Subnets(SubnetUse::kSpecial), 3u);
  EXPECT_EQ(Subnets(SubnetUse::kUsed), 0u);
  const Bytes sent = Hex("00 08 00 07 00 01 18 00 0a 01 02");
  EXPECT_EQ(ask("ns1.cdn.example.org", sent).opt->options, sent) << "static data has scope 0 for everybody";
}

TEST_F(ResponderEdnsTest, AnUnknownResolverOfAPrivateSubnetIsMeasuredItself) {
  Authority authority = testing::TalkativeAuthority(&steering_);
  authority.special_networks = SpecialNetworks({*IpPrefix::Parse("198.18.0.0/15")});
  Publish(std::move(authority));
  const Bytes query = MakeQuery(
      {.name = "cdn.example.org", .opt = OptSpec{.options = Hex("00 08 00 07 00 01 18 00 0a 01 02")}});
  ASSERT_EQ(Answer(query, "198.18.1.1").action, Action::kPark);
  Bytes delivered;
  responder_->Park(query, By("198.18.1.1"),
                   [&](std::span<const uint8_t> answer) { delivered.assign(answer.begin(), answer.end()); });
  EXPECT_EQ(steering_.last_parked().address.ToString(), "198.18.1.1");
  const SteeredAnswer answer = AnswerV4("198.18.0.9");
  steering_.TakeParked(1).at(0)(&answer);
  EXPECT_EQ(OptionOf(*Decode(delivered), kSubnetOption), Hex("00 01 18 08 0a 01 02"));
}

TEST_F(ResponderEdnsTest, ASubnetIsHearsayUnlessItsResolversWordIsEnoughForProbing) {
  Authority authority = testing::TalkativeAuthority(&steering_);
  authority.subnet_probe_for = {*IpPrefix::Parse("198.18.9.0/24")};
  Publish(std::move(authority));
  const Bytes query = MakeQuery(
      {.name = "cdn.example.org", .opt = OptSpec{.options = Hex("00 08 00 07 00 01 18 00 c6 13 07")}});
  const auto parked_by = [&](std::string_view resolver) {
    responder_->Park(query, By(resolver), [](std::span<const uint8_t>) {});
    return steering_.last_parked();
  };
  EXPECT_EQ(parked_by("198.18.8.8").hearsay_of, *IpAddress::Parse("198.18.8.8"));
  EXPECT_EQ(parked_by("198.18.9.9").hearsay_of, std::nullopt);
  EXPECT_EQ(parked_by("198.18.9.9").prefix, *IpPrefix::Parse("198.19.7.0/24"));
}

TEST_F(ResponderEdnsTest, TcpAndAGoodCookieProveThatTheClientIsThere) {
  Publish(testing::TalkativeAuthority(&steering_));
  const auto parked = [&](const Bytes& options, Transport transport) {
    const Bytes query = MakeQuery({.name = "cdn.example.org", .opt = OptSpec{.options = options}});
    responder_->Park(query, By("198.18.7.9", transport), [](std::span<const uint8_t>) {});
    return steering_.last_parked().presence;
  };
  Bytes good = Hex("00 0a 00 18");
  const Bytes cookie = CookieFor("198.18.7.9");
  good.insert(good.end(), cookie.begin(), cookie.end());
  EXPECT_EQ(parked({}, Transport::kUdp), Presence::kUnproven);
  EXPECT_EQ(parked({}, Transport::kTcp), Presence::kProven);
  EXPECT_EQ(parked(good, Transport::kUdp), Presence::kProven);
  good.back() ^= 1;
  EXPECT_EQ(parked(good, Transport::kUdp), Presence::kUnproven);
  EXPECT_EQ(parked(Hex(kClientCookie), Transport::kUdp), Presence::kUnproven);
}

TEST_F(ResponderEdnsTest, ASpecialSubnetThatTheOperatorNamesIsAClientsLikeAnyOther) {
  Authority authority = testing::TalkativeAuthority(&steering_);
  authority.special_networks = SpecialNetworks({*IpPrefix::Parse("10.1.0.0/16")});
  Publish(std::move(authority));
  steering_.Know("10.1.2.1", AnswerV4("198.18.0.9"));
  const auto ask = [this](std::string_view subnet) {
    return Ask({.name = "cdn.example.org", .opt = OptSpec{.options = Hex(subnet)}}, "198.18.8.8");
  };
  const Message named = ask("00 08 00 07 00 01 18 00 0a 01 02");
  EXPECT_EQ(named.answer.at(0).text, "198.18.0.9");
  EXPECT_EQ(named.opt->options, Hex("00 08 00 07 00 01 18 18 0a 01 02"));
  const Message beside = ask("00 08 00 07 00 01 18 00 0a 02 02");
  EXPECT_EQ(beside.answer.at(0).text, "198.18.0.7");
  EXPECT_EQ(beside.opt->options, Hex("00 08 00 07 00 01 18 18 0a 02 02"))
      << "10.0.0.0/8 would hold 10.1.2.0/24";
}

TEST_F(ResponderEdnsTest, CountsWhatBecomesOfClientSubnets) {
  Authority authority = testing::TalkativeAuthority(&steering_);
  authority.subnet_trust = {*IpPrefix::Parse("198.18.8.8/32")};
  Publish(std::move(authority));
  const auto ask = [this](std::string_view subnet, std::string_view client) {
    Ask({.name = "ns1.cdn.example.org", .opt = OptSpec{.options = Hex(subnet)}}, client);
  };
  ask(kSubnet, "198.18.8.8");
  ask(kSubnet, "198.18.7.7");
  ask("00 08 00 04 00 01 00 00", "198.18.8.8");
  Ask({.name = "ns1.cdn.example.org", .opt = OptSpec{}});
  EXPECT_EQ(Subnets(SubnetUse::kUsed), 1u);
  EXPECT_EQ(Subnets(SubnetUse::kNotTrusted), 1u);
  EXPECT_EQ(Subnets(SubnetUse::kWithheld), 1u);
  EXPECT_EQ(Subnets(SubnetUse::kNone), 0u);
}

TEST_F(ResponderEdnsTest, TellsItsIdentityOnlyWhenAsked) {
  Publish(Guarded());
  EXPECT_EQ(Ask({.name = "cdn.example.org", .opt = OptSpec{.options = Hex(kNsid)}}).opt->options,
            Hex("00 03 00 02 6e 31"));
  EXPECT_TRUE(Ask({.name = "cdn.example.org", .opt = OptSpec{}}).opt->options.empty());
}

TEST_F(ResponderEdnsTest, AboveItsRateAClientIsCutShortOrDroppedUnlessItsCookieIsGood) {
  Publish(Guarded());
  const Bytes query = MakeQuery({.name = "cdn.example.org"});
  int whole = 0, cut = 0, dropped = 0;
  for (int i = 0; i < 30; ++i) {
    const Outcome outcome = Answer(query);
    dropped += outcome.action == Action::kDrop ? 1 : 0;
    if (outcome.action != Action::kSend) continue;
    const auto m = Decode(std::span(out_).first(outcome.size));
    (m->flags & kFlagTc ? cut : whole) += 1;
    EXPECT_EQ(m->answer.empty(), (m->flags & kFlagTc) != 0);
  }
  EXPECT_EQ(whole, 10);
  EXPECT_EQ(cut, 10);
  EXPECT_EQ(Dropped(DropReason::kRateLimited), static_cast<uint64_t>(dropped));
  EXPECT_EQ(Dropped(DropReason::kSlipped), 10u);

  EXPECT_EQ(Ask(query, "198.18.7.7", Transport::kTcp).answer.size(), 1u);
  const Message first =
      Ask(MakeQuery({.name = "cdn.example.org", .opt = OptSpec{.options = Hex(kClientCookie)}}), "198.18.7.7",
          Transport::kTcp);
  ASSERT_EQ(first.opt->options.size(), 28u);
  for (int i = 0; i < 30; ++i) {
    EXPECT_EQ(Ask({.name = "cdn.example.org", .opt = OptSpec{.options = first.opt->options}}).answer.size(),
              1u);
  }
}

TEST_F(ResponderEdnsTest, AParkedAnswerEndsByTheAuthorityThatItBeganWithAndHasItsOptions) {
  Publish(Guarded());
  const Bytes subnet = Hex("00 08 00 07 00 01 18 00 c6 13 07");
  Bytes options = Hex(kClientCookie);
  options.insert(options.end(), subnet.begin(), subnet.end());
  Bytes query = MakeQuery({.name = "cdn.example.org", .opt = OptSpec{.options = options}});
  ASSERT_EQ(Answer(query).action, Action::kPark);
  Bytes delivered;
  responder_->Park(query, By("198.18.7.7"),
                   [&](std::span<const uint8_t> answer) { delivered.assign(answer.begin(), answer.end()); });
  query.assign(query.size(), 0xff);
  Publish({.steering = &steering_});  // authoritative for nothing
  EXPECT_EQ(Ask({.name = "cdn.example.org"}).rcode, Rcode::kRefused);
  const SteeredAnswer answer = AnswerV4("198.18.0.9");
  steering_.TakeParked(1).at(0)(&answer);
  const auto m = Decode(delivered);
  ASSERT_TRUE(m.has_value());
  EXPECT_EQ(m->answer.at(0).text, "198.18.0.9");
  EXPECT_EQ(OptionOf(*m, kCookieOption), CookieFor("198.18.7.7"));
  EXPECT_EQ(OptionOf(*m, kSubnetOption), Hex("00 01 18 18 c6 13 07"));
}

// RFC 7873 §5.4: no question, and a cookie whose server part is wrong.
TEST_F(ResponderEdnsTest, ACookieAloneIsAnsweredByAGoodOne) {
  Publish(Guarded());
  const Message asked = Ask(CookieOnly(Hex(kClientCookie)));
  EXPECT_EQ(asked.rcode, Rcode::kNoError);
  EXPECT_EQ(asked.questions, 0u);
  EXPECT_EQ(OptionOf(asked, kCookieOption), CookieFor("198.18.7.7"));
  Bytes wrong = asked.opt->options;
  wrong.back() ^= 1;
  const Message told = Ask(CookieOnly(wrong));
  EXPECT_EQ(told.rcode, Rcode::kBadCookie);
  EXPECT_EQ(OptionOf(told, kCookieOption), CookieFor("198.18.7.7"));
  EXPECT_EQ(Ask(CookieOnly(asked.opt->options)).rcode, Rcode::kNoError);
  EXPECT_EQ(Ask(CookieOnly(asked.opt->options), "198.18.7.8").rcode, Rcode::kBadCookie) << "another's";
}

TEST_F(ResponderEdnsTest, WithoutSecretsCookiesAreIgnored) {
  EXPECT_TRUE(
      Ask({.name = "cdn.example.org", .opt = OptSpec{.options = Hex(kClientCookie)}}).opt->options.empty());
  const Message alone = Ask(CookieOnly(Hex(kClientCookie)));
  EXPECT_EQ(alone.rcode, Rcode::kFormErr);
  EXPECT_TRUE(alone.opt->options.empty());
}

TEST_F(ResponderEdnsTest, OverTcpItTellsHowLongAConnectionMayIdle) {
  Authority authority = Guarded();
  authority.tcp_idle_timeout = std::chrono::seconds(3);
  Publish(std::move(authority));
  const Bytes query = MakeQuery({.name = "cdn.example.org", .opt = OptSpec{.options = Hex("00 0b 00 00")}});
  EXPECT_EQ(Ask(query, "198.18.7.7", Transport::kTcp).opt->options, Hex("00 0b 00 02 00 1e"));
  EXPECT_TRUE(Ask(query).opt->options.empty());
}

TEST_F(ResponderEdnsTest, CountsExtendedRcodesAsWhatTheyAre) {
  Publish(Guarded());
  Ask({.name = "cdn.example.org", .opt = OptSpec{.version = 1}});
  Ask(CookieOnly(Hex("00 0a 00 10 01 02 03 04 05 06 07 08 01 02 03 04 05 06 07 08")));
  EXPECT_EQ(Sent(Rcode::kBadVers), 1u);
  EXPECT_EQ(Sent(Rcode::kBadCookie), 1u);
  EXPECT_EQ(Sent(Rcode::kNoError), 0u);
}

TEST_F(ResponderEdnsTest, AReferralCarriesItsGlueOrSaysThatItDoesNotFit) {
  std::string text = "$TTL 3600\n@ SOA ns.else. host.else. 1 2 3 4 3600\n@ NS ns.else.\n";
  text += "few NS n0.few\nn0.few A 192.0.2.1\nn0.few AAAA 2001:db8::1\n";
  for (int i = 0; i < 20; ++i) {
    text += fmt::format("many NS n{0}.many\nn{0}.many A 192.0.2.{0}\n", i);
  }
  std::vector<Zone> zones;
  zones.push_back(testing::ZoneOf("x", text));
  Publish({.zones = MakeZoneSet(std::move(zones), {}).value(), .steering = &steering_});
  const Message few = Ask({.name = "www.few.x"});
  EXPECT_EQ(few.rcode, Rcode::kNoError);
  EXPECT_EQ(few.flags & (kFlagAa | kFlagTc), 0);
  EXPECT_EQ(few.authority.at(0).text, "n0.few.x.");
  ASSERT_EQ(few.additional.size(), 2u);
  EXPECT_EQ(few.additional[0].text, "192.0.2.1");
  EXPECT_EQ(few.additional[1].text, "2001:db8::1");
  EXPECT_NE(Ask({.name = "www.many.x"}).flags & kFlagTc, 0);
  const Message whole = Ask({.name = "www.many.x", .opt = OptSpec{}});
  EXPECT_EQ(whole.flags & kFlagTc, 0);
  EXPECT_EQ(whole.additional.size(), 20u);
}

TEST_F(ResponderEdnsTest, EchoesEdnsOnlyWhenAskedAndNoClientSubnetThatIsNotBelieved) {
  const OptSpec opt{.payload = 4096, .dnssec_ok = true, .options = Hex("00 08 00 07 00 01 18 00 c6 12 07")};
  const Message m = Ask({.name = "cdn.example.org", .opt = opt});
  ASSERT_TRUE(m.opt.has_value());
  EXPECT_EQ(m.opt->payload, 1232);
  EXPECT_TRUE(m.opt->dnssec_ok);
  EXPECT_TRUE(m.opt->options.empty());  // RFC 7871 §7.2.1: not used, not echoed
  EXPECT_EQ(m.answer.at(0).text, "198.18.0.7");
}

TEST_F(ResponderEdnsTest, AllocatesNothingOnTheWarmPath) {
  const Bytes queries[] = {
      MakeQuery({.name = "cdn.example.org"}),
      MakeQuery({.name = "cdn.example.org", .type = RrType::kAaaa, .opt = OptSpec{}}),
      MakeQuery({.name = "cdn.example.org", .type = RrType::kNs}),
      MakeQuery({.name = "nothing.cdn.example.org"}),
      MakeQuery({.name = "example.net"}),
      MakeQuery({.name = "cdn.example.org", .opt = OptSpec{.options = {0, 8, 0, 9}}}),
      MakeQuery({.name = "cdn.example.org", .opt = OptSpec{.options = Hex(kSubnet)}}),
      MakeQuery({.name = "cdn.example.org", .opt = OptSpec{.options = Hex(kClientCookie)}}),
      MakeQuery({.name = "cdn.example.org", .opt = OptSpec{.options = Hex("00 08 00 05 00 01 08 00 0a")}}),
  };
  Authority authority = Guarded();
  authority.special_networks = SpecialNetworks({*IpPrefix::Parse("198.18.0.0/15")});
  testing::Desk desk(std::move(authority), DecisionLog::Open("/dev/null").value());
  const auto responder = desk.NewResponder();
  const size_t before = testing::AllocationCount();
  for (const Bytes& query : queries) responder->Answer(query, By("198.18.7.7"), out_);
  const size_t during = testing::AllocationCount() - before;
  EXPECT_EQ(during, 0u);
  EXPECT_GT(before, 0u) << "the counter counts";
}

TEST_F(ResponderEdnsTest, WritesDownWhySteeredAnswersAreWhatTheyAre) {
  const TemporaryFolder folder;
  const std::string path = folder / "decisions";
  {
    testing::Desk desk(Guarded(), DecisionLog::Open(path).value());
    const auto responder = desk.NewResponder();
    responder->Answer(MakeQuery({.name = "ns1.cdn.example.org"}), By("198.18.7.7"), out_);  // not steered
    responder->Answer(MakeQuery({.name = "cdn.example.org", .type = RrType::kAaaa}), By("198.18.8.8"), out_);
    responder->Park(MakeQuery({.name = "cdn.example.org", .opt = OptSpec{.options = Hex(kSubnet)}}),
                    By("198.18.1.1", Transport::kTcp), [](std::span<const uint8_t>) {});
    const SteeredAnswer answer = AnswerV4("198.18.0.9");
    steering_.TakeParked(1).at(0)(&answer);
  }
  EXPECT_THAT(Lines(path),
              UnorderedElementsAre(AllOf(HasSubstr(R"("client":"198.18.8.8","prefix":"198.18.8.0/24")"),
                                         HasSubstr(R"("type":"AAAA","protocol":"udp","replica":"fake")")),
                                   AllOf(HasSubstr(R"("client":"198.18.7.1","prefix":"198.18.7.0/24")"),
                                         HasSubstr(R"("type":"A","protocol":"tcp","replica":"fake")"))));
}

}  // namespace
}  // namespace perigee::dns
