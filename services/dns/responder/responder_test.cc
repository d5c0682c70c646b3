#include "services/dns/responder/responder.h"

#include <random>

#include "gtest/gtest.h"
#include "lib/dns_wire/testing/message.h"
#include "services/dns/responder/testing/responder_fixture.h"

namespace perigee::dns {
namespace {

using testing::AnswerV4;
using testing::Bytes;
using testing::Decode;
using testing::Hex;
using testing::MakeQuery;
using testing::Message;
using testing::OptSpec;

using ResponderTest = testing::ResponderFixture;

constexpr int kMutations = 100'000;

TEST_F(ResponderTest, SteersAKnownClientAtOnce) {
  const Message m = Ask({.name = "cDn.eXample.oRg", .flags = kFlagRd});
  EXPECT_EQ(m.id, 0x1234);
  EXPECT_EQ(m.flags, kFlagQr | kFlagAa | kFlagRd);
  EXPECT_EQ(m.qname, "cDn.eXample.oRg.");
  ASSERT_EQ(m.answer.size(), 1u);
  EXPECT_EQ(m.answer[0].owner, "cDn.eXample.oRg.");
  EXPECT_EQ(m.answer[0].text, "198.18.0.7");
  EXPECT_EQ(m.answer[0].ttl, 60u);
  EXPECT_FALSE(m.opt.has_value());
}

TEST_F(ResponderTest, AnswersAaaaWhenTheReplicaHasIt) {
  EXPECT_EQ(Ask({.name = "cdn.example.org", .type = RrType::kAaaa}, "198.18.8.8").answer.at(0).text,
            "fd00::7");
}

TEST_F(ResponderTest, SaysNoDataNoLongerThanTheChoiceHolds) {
  const Message m = Ask({.name = "cdn.example.org", .type = RrType::kAaaa});
  EXPECT_EQ(m.rcode, Rcode::kNoError);
  ExpectNegative(m, 60);
}

TEST_F(ResponderTest, FailsWhenThereIsNoReplicaAtAll) {
  const Message m = Ask({.name = "cdn.example.org"}, "198.18.9.9");
  EXPECT_EQ(m.rcode, Rcode::kServFail);
  EXPECT_EQ(m.flags & kFlagAa, 0);
}

TEST_F(ResponderTest, AnswersNegativelyWithTheSoa) {
  const Message no_name = Ask({.name = "www.cdn.example.org"});
  EXPECT_EQ(no_name.rcode, Rcode::kNxDomain);
  ExpectNegative(no_name, 300);
  const Message no_type = Ask({.name = "cdn.example.org", .type = RrType::kTxt});
  EXPECT_EQ(no_type.rcode, Rcode::kNoError);
  ExpectNegative(no_type, 300);
}

TEST_F(ResponderTest, GivesNameServersWithTheirAddresses) {
  const Message m = Ask({.name = "cdn.example.org", .type = RrType::kNs});
  EXPECT_EQ(m.answer.at(0).text, "ns1.cdn.example.org.");
  ASSERT_EQ(m.additional.size(), 2u);
  EXPECT_EQ(m.additional[0].text, "198.18.0.53");
  EXPECT_EQ(m.additional[1].text, "fd00::53");
}

TEST_F(ResponderTest, RefusesWithoutAuthority) {
  const Message m = Ask({.name = "example.net"});
  EXPECT_EQ(m.rcode, Rcode::kRefused);
  EXPECT_EQ(m.flags & kFlagAa, 0);
  EXPECT_EQ(m.qname, "example.net.");
}

TEST_F(ResponderTest, TellsItsVersionInClassChaos) {
  const Message m = Ask({.name = "version.bind", .type = RrType::kTxt, .rr_class = RrClass::kChaos});
  ASSERT_EQ(m.answer.size(), 1u);
  EXPECT_EQ(m.answer[0].rr_class, RrClass::kChaos);
  EXPECT_EQ(m.answer[0].rdata, (Bytes{7, 'p', 'e', 'r', 'i', 'g', 'e', 'e'}));
}

TEST_F(ResponderTest, NamesTheErrorOfABadQuery) {
  EXPECT_EQ(Ask({.name = "cdn.example.org", .opt = OptSpec{.version = 1}}).rcode, Rcode::kBadVers);
  EXPECT_EQ(Ask({.name = "cdn.example.org", .flags = 4 << kOpcodeShift}).rcode, Rcode::kNotImp);
  const Message bad_option = Ask({.name = "cdn.example.org", .opt = OptSpec{.options = {0, 8, 0, 9}}});
  EXPECT_EQ(bad_option.rcode, Rcode::kFormErr);
  EXPECT_TRUE(bad_option.opt.has_value());  // RFC 6891 §7
  const Message header_only = Ask(Bytes(kHeaderSize, 0));
  EXPECT_EQ(header_only.rcode, Rcode::kFormErr);
  EXPECT_EQ(header_only.questions, 0u);
}

TEST_F(ResponderTest, DropsResponsesAndScraps) {
  EXPECT_EQ(Answer(MakeQuery({.name = "cdn.example.org", .flags = kFlagQr})).action, Action::kDrop);
  EXPECT_EQ(Answer({1, 2, 3}).action, Action::kDrop);
}

TEST_F(ResponderTest, ParksAnUnknownClientAndAnswersLater) {
  Bytes query = MakeQuery({.name = "Cdn.example.org", .opt = OptSpec{}});
  ASSERT_EQ(Answer(query, "198.18.1.1").action, Action::kPark);
  std::vector<Bytes> delivered;
  responder_->Park(query, By("198.18.1.1"), [&](std::span<const uint8_t> answer) {
    delivered.emplace_back(answer.begin(), answer.end());
  });
  query.assign(query.size(), 0xff);  // the caller's buffer is its own again
  EXPECT_TRUE(delivered.empty());
  const SteeredAnswer answer = AnswerV4("198.18.0.9");
  steering_.TakeParked(1).at(0)(&answer);
  ASSERT_EQ(delivered.size(), 1u);
  const auto m = Decode(delivered[0]);
  ASSERT_TRUE(m.has_value());
  EXPECT_EQ(m->id, 0x1234);
  EXPECT_EQ(m->qname, "Cdn.example.org.");
  EXPECT_EQ(m->answer.at(0).text, "198.18.0.9");
  EXPECT_TRUE(m->opt.has_value());
}

TEST_F(ResponderTest, DropsOrFailsAParkedQueryAsSteeringSays) {
  const Bytes query = MakeQuery({.name = "cdn.example.org"});
  std::vector<Bytes> delivered;
  for (int i = 0; i < 2; ++i) {
    responder_->Park(query, By("0.0.0.0", Transport::kTcp), [&](std::span<const uint8_t> answer) {
      delivered.emplace_back(answer.begin(), answer.end());
    });
  }
  auto parked = steering_.TakeParked(2);
  parked.at(0)(nullptr);
  const SteeredAnswer none;
  parked.at(1)(&none);
  ASSERT_EQ(delivered.size(), 2u);
  EXPECT_TRUE(delivered[0].empty());
  EXPECT_EQ(Decode(delivered[1])->rcode, Rcode::kServFail);
}

TEST_F(ResponderTest, ParkedAnswersSurviveTheResponder) {
  auto mortal = desk_.NewResponder();
  size_t size = 0;
  mortal->Park(MakeQuery({.name = "cdn.example.org", .type = RrType::kAaaa}), By("0.0.0.0"),
               [&](std::span<const uint8_t> answer) { size = answer.size(); });
  mortal.reset();
  const SteeredAnswer answer = AnswerV4("198.18.0.9");
  steering_.TakeParked(1).at(0)(&answer);
  EXPECT_GT(size, kHeaderSize);
}

TEST_F(ResponderTest, CountsWhatItDrops) {
  Answer(MakeQuery({.name = "cdn.example.org", .flags = kFlagQr}));
  Answer({1, 2, 3});
  EXPECT_EQ(Dropped(DropReason::kNotAQuery), 2u);
  responder_->Park(MakeQuery({.name = "cdn.example.org"}), By("198.18.1.1"), [](std::span<const uint8_t>) {});
  steering_.TakeParked(1).at(0)(nullptr);
  EXPECT_EQ(Dropped(DropReason::kParkLimit), 1u);
}

// Good queries to start from, each with parts that the parser looks at closely.
std::vector<Bytes> Seeds() {
  return {
      MakeQuery({.name = "cdn.example.org"}),
      MakeQuery({.name = "ns1.cdn.example.org", .type = RrType::kAaaa, .opt = OptSpec{}}),
      MakeQuery(
          {.name = "cdn.example.org", .opt = OptSpec{.options = Hex("00 08 00 07 00 01 18 00 c6 12 07")}}),
      MakeQuery({.name = "cdn.example.org",
                 .opt = OptSpec{.options = Hex("00 03 00 00 00 0a 00 08 01 02 03 04 05 06 07 08"
                                               "00 08 00 07 00 01 18 00 c6 12 07 00 0b 00 00")}}),
      MakeQuery({.name = "version.bind", .type = RrType::kTxt, .rr_class = RrClass::kChaos}),
      MakeQuery({.name = "cdn.example.org", .type = RrType::kNs}),
      Hex("00 01 00 00 00 01 00 01 00 01 00 01 01 78 00 00 01 00 01"
          "c0 0c 00 01 00 01 00 00 00 00 00 00 01 61 c0 0c 00 06 00 01 00 00 00 00 00 00"
          "00 00 29 04 d0 00 00 00 00 00 00"),
  };
}

Bytes Mutate(Bytes bytes, std::mt19937& random) {
  for (unsigned n = 1 + random() % 4; n > 0; --n) {
    switch (random() % 5) {
      case 0:
        bytes.resize(random() % (bytes.size() + 1));
        break;
      case 1:
        bytes.insert(bytes.end(), random() % 32, static_cast<uint8_t>(random()));
        break;
      case 2:
        bytes.insert(bytes.begin() + static_cast<long>(random() % (bytes.size() + 1)),
                     static_cast<uint8_t>(random()));
        break;
      default:
        if (!bytes.empty()) bytes[random() % bytes.size()] = static_cast<uint8_t>(random());
    }
  }
  return bytes;
}

TEST_F(ResponderTest, AnswersEveryMutatedQueryWellFormedOrNotAtAll) {
  Publish(testing::TalkativeAuthority(&steering_));
  std::mt19937 random(20240611);
  const std::vector<Bytes> seeds = Seeds();
  int sent = 0, parked = 0;
  for (int i = 0; i < kMutations; ++i) {
    const Bytes mutated = Mutate(seeds[random() % seeds.size()], random);
    // Of exact capacity, so that AddressSanitizer sees a read past the end.
    const Bytes query(mutated);  // NOLINT(performance-unnecessary-copy-initialization)
    const Outcome outcome = Answer(query, i % 2 == 0 ? "198.18.7.7" : "198.18.1.1");
    parked += outcome.action == Action::kPark ? 1 : 0;
    if (outcome.action != Action::kSend) continue;
    ++sent;
    ASSERT_LE(outcome.size, kEdnsUdpLimit);
    const auto m = Decode(std::span(out_).first(outcome.size));
    ASSERT_TRUE(m.has_value()) << i;
    ASSERT_EQ(m->id, query[0] << 8 | query[1]);
    ASSERT_NE(m->flags & kFlagQr, 0);
  }
  EXPECT_GT(sent, kMutations / 4);
  EXPECT_GT(parked, 0);
}

}  // namespace
}  // namespace perigee::dns
