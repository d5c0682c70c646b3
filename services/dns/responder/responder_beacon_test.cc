// What queries for beacons are answered, and what is remembered of them.
#include "gtest/gtest.h"
#include "lib/dns_wire/testing/message.h"
#include "services/dns/responder/testing/responder_fixture.h"

namespace perigee::dns {
namespace {

using testing::Bytes;
using testing::Hex;
using testing::MakeQuery;
using testing::Message;
using testing::OptSpec;

// Names below beacon.cdn.example.org are beacons.
class BeaconTest : public testing::ResponderFixture {
 protected:
  BeaconTest() {
    std::vector<Zone> zones;
    zones.push_back(MakeSyntheticZone({.domain = "cdn.example.org",
                                       .steered = {*Name::Parse("*.beacon.cdn.example.org")},
                                       .name_server = "",
                                       .start_time = {}})
                        .value());
    Authority authority = testing::TalkativeAuthority(&steering_);
    authority.zones = MakeZoneSet(std::move(zones), {}).value();
    authority.beacon = *Name::Parse("beacon.cdn.example.org");
    Publish(std::move(authority));
  }
};

TEST_F(BeaconTest, IsAnsweredForThatMomentAndWhoAsksIsRemembered) {
  const Message m = Ask({.name = "0123456789-ABCdef.BEACON.cdn.example.org"});
  ASSERT_EQ(m.answer.size(), 1u);
  EXPECT_EQ(m.answer[0].text, "198.18.0.7");
  EXPECT_EQ(m.answer[0].ttl, 0u);
  ASSERT_EQ(steering_.beacons.size(), 1u);
  EXPECT_EQ(steering_.beacons[0].first, "0123456789-abcdef");
  EXPECT_EQ(steering_.beacons[0].second.ToString(), "198.18.7.0/24");
}

TEST_F(BeaconTest, OfAStrangerIsNotParked) {
  const Bytes query = MakeQuery({.name = "0123456789-abcdef.beacon.cdn.example.org"});
  EXPECT_EQ(Answer(query, "198.18.66.66").action, Action::kSend);
  EXPECT_EQ(steering_.beacons.size(), 1u);
}

TEST_F(BeaconTest, OfAClientThatItsResolverTellsTeachesNothing) {
  steering_.Know("198.18.8.1", testing::AnswerV4("198.18.0.9"));  // the network's first address
  const Message m = Ask({.name = "0123456789-abcdef.beacon.cdn.example.org",
                         .opt = OptSpec{.options = Hex("00 08 00 07 00 01 18 00 c6 12 08")}});
  EXPECT_EQ(m.answer.at(0).text, "198.18.0.9");
  EXPECT_TRUE(steering_.beacons.empty());
}

TEST_F(BeaconTest, WhatIsNoTokenIsAStrangersName) {
  for (const char* name : {"short.beacon.cdn.example.org", "0123456789-abcdef.x.beacon.cdn.example.org",
                           "0123456789-abcdef.cdn.example.org", "cdn.example.org"}) {
    Answer(MakeQuery({.name = name}), "198.18.7.7");
  }
  EXPECT_TRUE(steering_.beacons.empty());
}

}  // namespace
}  // namespace perigee::dns
