#include "lib/dns_wire/query.h"

#include <string>
#include <utility>

#include "gtest/gtest.h"
#include "lib/dns_wire/testing/message.h"

namespace perigee::dns {
namespace {

using testing::Bytes;
using testing::Hex;
using testing::MakeQuery;
using testing::OptSpec;

ParseVerdict Parse(const Bytes& bytes) {
  ParsedQuery query;
  return ParseQuery(bytes, &query);
}

Bytes WithOptions(const char* hex) {
  return MakeQuery({.name = "cdn.example.org", .opt = OptSpec{.options = Hex(hex)}});
}

TEST(ParseQuery, ReadsAPlainQuestion) {
  const Bytes bytes = Hex(R"(
    be ef              # id
    01 00              # RD
    00 01 00 00 00 00 00 00
    03 43 64 4e        # "CdN"
    03 6f 72 67 00     # "org"
    00 1c 00 01        # AAAA IN
  )");
  ParsedQuery query;
  ASSERT_EQ(ParseQuery(bytes, &query), ParseVerdict::kOk);
  EXPECT_EQ(query.id, 0xbeef);
  EXPECT_EQ(query.flags, kFlagRd);
  EXPECT_EQ(query.qname.ToText(), "CdN.org.");
  EXPECT_EQ(query.qtype, RrType::kAaaa);
  EXPECT_EQ(query.qclass, RrClass::kIn);
  EXPECT_EQ(query.question.size(), 13u);
  EXPECT_FALSE(query.edns.has_value());
}

TEST(ParseQuery, ReadsEdnsAndClientSubnet) {
  const Bytes bytes = Hex(R"(
    00 01 00 00 00 01 00 00 00 00 00 01
    01 78 00 00 01 00 01      # x. A IN
    00 00 29                  # root, OPT
    10 00                     # payload 4096
    00 00 80 00               # version 0, DO
    00 10                     # two options
    00 08 00 07               # ECS, 7 octets
    00 01 18 00 c6 12 07      # IPv4 198.18.7.0/24, scope 0
    fd e9 00 01 aa            # an option that nobody knows
  )");
  ParsedQuery query;
  ASSERT_EQ(ParseQuery(bytes, &query), ParseVerdict::kOk);
  ASSERT_TRUE(query.edns.has_value());
  EXPECT_EQ(query.edns->udp_payload, 4096);
  EXPECT_TRUE(query.edns->dnssec_ok);
  ASSERT_TRUE(query.edns->client_subnet.has_value());
  EXPECT_EQ(query.edns->client_subnet->address.ToString(), "198.18.7.0");
  EXPECT_EQ(query.edns->client_subnet->source_prefix, 24);
}

TEST(ParseQuery, KeepsTheFamilyOfAnEmptyClientSubnet) {
  for (const auto& [hex, family] : {std::pair{"00 08 00 04 00 00 00 00", AddressFamily::kNone},
                                    {"00 08 00 04 00 01 00 00", AddressFamily::kV4},
                                    {"00 08 00 04 00 02 00 00", AddressFamily::kV6}}) {
    const Bytes bytes = WithOptions(hex);
    ParsedQuery query;
    ASSERT_EQ(ParseQuery(bytes, &query), ParseVerdict::kOk);
    ASSERT_TRUE(query.edns->client_subnet.has_value()) << hex;
    EXPECT_EQ(query.edns->client_subnet->family, family);
    EXPECT_EQ(query.edns->client_subnet->source_prefix, 0);
  }
}

TEST(ParseQuery, ReadsCookiesOfEveryLengthThatRfc7873Allows) {
  for (size_t size = 0; size <= 50; ++size) {
    Bytes options = Hex("00 0a 00 00");
    options[3] = static_cast<uint8_t>(size);
    for (size_t i = 0; i < size; ++i) options.push_back(static_cast<uint8_t>(i + 1));
    const Bytes bytes = MakeQuery({.name = "x", .opt = OptSpec{.options = options}});
    ParsedQuery query;
    const bool good = size == 8 || (size >= 16 && size <= 40);
    ASSERT_EQ(ParseQuery(bytes, &query), good ? ParseVerdict::kOk : ParseVerdict::kFormErr) << size;
    ASSERT_EQ(query.edns->cookie.has_value(), good) << size;
    if (!good) continue;
    EXPECT_EQ(query.edns->cookie->client.front(), 1);
    EXPECT_EQ(query.edns->cookie->client.back(), 8);
    EXPECT_EQ(query.edns->cookie->server_size, size - 8);
    if (size > 8) {
      EXPECT_EQ(query.edns->cookie->server[size - 9], size);
    }
  }
}

TEST(ParseQuery, RefusesASecondCookie) {
  EXPECT_EQ(Parse(WithOptions("00 0a 00 08 01 02 03 04 05 06 07 08 00 0a 00 08 01 02 03 04 05 06 07 08")),
            ParseVerdict::kFormErr);
}

TEST(ParseQuery, SeesTheWishForNsidWhateverComesWithIt) {
  for (const char* hex : {"00 03 00 00", "00 03 00 02 68 69", "00 03 00 00 00 03 00 00"}) {
    const Bytes bytes = WithOptions(hex);
    ParsedQuery query;
    ASSERT_EQ(ParseQuery(bytes, &query), ParseVerdict::kOk) << hex;
    EXPECT_TRUE(query.edns->nsid);
  }
}

TEST(ParseQuery, ReadsKeepaliveOverTcpOnly) {
  const Bytes good = WithOptions("00 0b 00 00");
  ParsedQuery query;
  ASSERT_EQ(ParseQuery(good, &query, Transport::kTcp), ParseVerdict::kOk);
  EXPECT_TRUE(query.edns->keepalive);
  ASSERT_EQ(ParseQuery(good, &query, Transport::kUdp), ParseVerdict::kOk);
  EXPECT_FALSE(query.edns->keepalive);
  for (const char* hex : {"00 0b 00 02 00 64", "00 0b 00 00 00 0b 00 00", "00 0b 00 01 00"}) {
    const Bytes bad = WithOptions(hex);
    EXPECT_EQ(ParseQuery(bad, &query, Transport::kTcp), ParseVerdict::kFormErr) << hex;
    EXPECT_EQ(ParseQuery(bad, &query, Transport::kUdp), ParseVerdict::kOk) << hex;
  }
}

TEST(ParseQuery, SkipsPaddingAndUnknownOptions) {
  EXPECT_EQ(Parse(WithOptions("00 0c 00 03 00 00 00 00 0c 00 00 00 0f 00 02 00 12 ff ff 00 00 00 00 00 00")),
            ParseVerdict::kOk);
  EXPECT_EQ(Parse(WithOptions("00 0c 00 03 00 00")), ParseVerdict::kFormErr);  // longer than OPT
}

TEST(ParseQuery, LetsAClientAskForACookieOnly) {
  const char* without_question = "00 01 00 00 00 00 00 00 00 00 00 01 00 00 29 04 d0 00 00 00 00 ";
  ParsedQuery query;
  const Bytes cookie = Hex(std::string(without_question) + "00 0c 00 0a 00 08 01 02 03 04 05 06 07 08");
  EXPECT_EQ(ParseQuery(cookie, &query), ParseVerdict::kCookieOnly);
  EXPECT_TRUE(query.edns->cookie.has_value());
  EXPECT_TRUE(query.question.empty());
  EXPECT_EQ(Parse(Hex(std::string(without_question) + "00 04 00 03 00 00")), ParseVerdict::kFormErr);
}

TEST(ParseQuery, DropsWhatIsNoQuery) {
  EXPECT_EQ(Parse({}), ParseVerdict::kDrop);
  EXPECT_EQ(Parse(Bytes(11, 0)), ParseVerdict::kDrop);
  EXPECT_EQ(Parse(MakeQuery({.name = "x", .flags = kFlagQr})), ParseVerdict::kDrop);
}

TEST(ParseQuery, RefusesEveryCutOfAQuery) {
  const Bytes whole = WithOptions("00 08 00 07 00 01 18 00 c6 12 07");
  ASSERT_EQ(Parse(whole), ParseVerdict::kOk);
  for (size_t size = kHeaderSize; size < whole.size(); ++size) {
    EXPECT_EQ(Parse(Bytes(whole.begin(), whole.begin() + static_cast<long>(size))), ParseVerdict::kFormErr)
        << size;
  }
}

TEST(ParseQuery, RefusesTrailingOctets) {
  Bytes bytes = MakeQuery({.name = "cdn.example.org"});
  bytes.push_back(0);
  EXPECT_EQ(Parse(bytes), ParseVerdict::kFormErr);
}

TEST(ParseQuery, RefusesAnyNumberOfQuestionsButOne) {
  Bytes none(kHeaderSize, 0);
  EXPECT_EQ(Parse(none), ParseVerdict::kFormErr);
  Bytes two = MakeQuery({.name = "."});
  two[5] = 2;
  two.insert(two.end(), {0, 0, 1, 0, 1});
  EXPECT_EQ(Parse(two), ParseVerdict::kFormErr);
}

TEST(ParseQuery, RefusesACompressedQuestion) {
  EXPECT_EQ(Parse(Hex("00 01 00 00 00 01 00 00 00 00 00 00 c0 0c 00 01 00 01")), ParseVerdict::kFormErr);
  EXPECT_EQ(Parse(Hex("00 01 00 00 00 01 00 00 00 00 00 00 c0 04 00 01 00 01")), ParseVerdict::kFormErr);
}

TEST(ParseQuery, RefusesASecondOptButKeepsTheFirst) {
  Bytes bytes = MakeQuery({.name = "x", .opt = OptSpec{.payload = 1400}});
  bytes[11] = 2;
  bytes.insert(bytes.end(), {0, 0, 41, 2, 0, 0, 0, 0, 0, 0, 0});
  ParsedQuery query;
  EXPECT_EQ(ParseQuery(bytes, &query), ParseVerdict::kFormErr);
  ASSERT_TRUE(query.edns.has_value());
  EXPECT_EQ(query.edns->udp_payload, 1400);
}

TEST(ParseQuery, RefusesAnOptOutOfPlace) {
  Bytes in_answer = MakeQuery({.name = "x", .opt = OptSpec{}});
  in_answer[7] = 1;
  in_answer[11] = 0;
  EXPECT_EQ(Parse(in_answer), ParseVerdict::kFormErr);
  // x. OPT instead of the root's: a pointer to the question's name.
  EXPECT_EQ(Parse(Hex("00 01 00 00 00 01 00 00 00 00 00 01 01 78 00 00 01 00 01"
                      "c0 0c 00 29 04 d0 00 00 00 00 00 00")),
            ParseVerdict::kFormErr);
}

TEST(ParseQuery, SkipsOtherRecordsInEverySection) {
  EXPECT_EQ(Parse(Hex("00 01 00 00 00 01 00 01 00 01 00 00 01 78 00 00 01 00 01"
                      "c0 0c 00 01 00 01 00 00 00 00 00 04 01 02 03 04"
                      "c0 0c 00 02 00 01 00 00 00 00 00 02 c0 0c")),
            ParseVerdict::kOk);
  EXPECT_EQ(Parse(Hex("00 01 00 00 00 01 00 00 00 00 00 01 01 78 00 00 01 00 01"
                      "c0 0c 00 fa 00 ff 00 00 00 00 00 01 aa")),
            ParseVerdict::kOk);
}

TEST(ParseQuery, KeepsAdAndCdAndLeavesThemWithoutMeaning) {
  const Bytes bytes = MakeQuery({.name = "x", .flags = kFlagAd | kFlagCd | kFlagZ | kFlagAa | kFlagTc});
  ParsedQuery query;
  EXPECT_EQ(ParseQuery(bytes, &query), ParseVerdict::kOk);
  EXPECT_EQ(query.flags, kFlagAd | kFlagCd | kFlagZ | kFlagAa | kFlagTc);
}

TEST(ParseQuery, KnowsOnlyTheOpcodeQuery) {
  for (uint16_t opcode = 1; opcode < 16; ++opcode) {
    const auto flags = static_cast<uint16_t>(opcode << kOpcodeShift);
    EXPECT_EQ(Parse(MakeQuery({.name = "x", .flags = flags})), ParseVerdict::kNotImp);
    Bytes header_only(kHeaderSize, 0);
    header_only[2] = static_cast<uint8_t>(opcode << 3);
    EXPECT_EQ(Parse(header_only), ParseVerdict::kNotImp);
  }
}

TEST(ParseQuery, RefusesEdnsVersionsAboveZeroWhateverTheirOptions) {
  EXPECT_EQ(Parse(MakeQuery({.name = "x", .opt = OptSpec{.version = 1}})), ParseVerdict::kBadVers);
  EXPECT_EQ(Parse(MakeQuery({.name = "x", .opt = OptSpec{.version = 255, .options = {1, 2, 3}}})),
            ParseVerdict::kBadVers);
  const Bytes bytes =
      MakeQuery({.name = "x", .opt = OptSpec{.version = 1, .options = Hex("00 0a 00 01 00")}});
  ParsedQuery query;
  EXPECT_EQ(ParseQuery(bytes, &query), ParseVerdict::kBadVers);
  EXPECT_FALSE(query.edns->cookie.has_value());
  const auto notify = static_cast<uint16_t>(4 << kOpcodeShift);
  EXPECT_EQ(Parse(MakeQuery({.name = "x", .flags = notify, .opt = OptSpec{.version = 1}})),
            ParseVerdict::kBadVers);
}

TEST(ParseQuery, AcceptsClientSubnetsAtTheirBounds) {
  for (const char* hex : {
           "00 08 00 04 00 01 00 00",              // IPv4 /0
           "00 08 00 08 00 01 20 00 c6 12 07 07",  // /32
           "00 08 00 06 00 01 0f 00 c6 12",        // /15
           "00 08 00 04 00 02 00 00",              // IPv6 /0
           "00 08 00 0b 00 02 38 00 20 01 0d b8 00 00 01",
           "00 08 00 14 00 02 80 00 20 01 0d b8 00 00 00 00 00 00 00 00 00 00 00 01",
           "00 08 00 04 00 00 00 00",  // no family, nothing said
       }) {
    EXPECT_EQ(Parse(WithOptions(hex)), ParseVerdict::kOk) << hex;
  }
}

TEST(ParseQuery, RefusesMalformedClientSubnets) {
  for (const char* hex : {
           "00 08 00 00",                                      // empty
           "00 08 00 03 00 01 00",                             // no scope
           "00 08 00 07 00 01 18 18 c6 12 07",                 // a scope in a query
           "00 08 00 06 00 01 18 00 c6 12",                    // too few octets
           "00 08 00 08 00 01 18 00 c6 12 07 00",              // too many
           "00 08 00 07 00 01 17 00 c6 12 07",                 // host bits set
           "00 08 00 09 00 01 21 00 c6 12 07 07 80",           // IPv4 /33
           "00 08 00 04 00 03 00 00",                          // no such family
           "00 08 00 05 00 00 08 00 0a",                       // a prefix without a family
           "00 08 00 04 00 01 00 00 00 08 00 04 00 01 00 00",  // twice
           "00 08 00 15 00 02 81 00 20 01 0d b8 00 00 00 00 00 00 00 00 00 00 00 01 80",
           ("00 08 00 24 00 02 ff 00"
            "00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 "
            "00"),
           "00 08 00 08 00 01 18 00 c6 12 07",  // longer than OPT
           "00 08 00",                          // half an option
       }) {
    EXPECT_EQ(Parse(WithOptions(hex)), ParseVerdict::kFormErr) << hex;
  }
}

}  // namespace
}  // namespace perigee::dns
