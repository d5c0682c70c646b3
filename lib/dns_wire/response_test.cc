#include "lib/dns_wire/response.h"

#include <array>
#include <string>
#include <utility>
#include <vector>

#include "gtest/gtest.h"
#include "lib/dns_wire/testing/message.h"

namespace perigee::dns {
namespace {

using namespace std::chrono_literals;
using testing::Bytes;
using testing::Decode;
using testing::Hex;
using testing::MakeQuery;
using testing::OptSpec;

// Sets of one record.
void AddAddress(ResponseWriter& writer, Section section, NameView owner, std::chrono::seconds ttl,
                const IpAddress& address, Need need = Need::kOptional) {
  writer.AddAddresses(section, owner, ttl, {&address, 1}, need);
}
void AddRecord(ResponseWriter& writer, Section section, NameView owner, RrType type, std::chrono::seconds ttl,
               ResponseWriter::Rdata rdata, Need need = Need::kOptional) {
  writer.AddSet(section, owner, type, ttl, {&rdata, 1}, need);
}

class ResponseTest : public ::testing::Test {
 protected:
  ResponseWriter WriterFor(const testing::QuerySpec& spec, size_t limit = kPlainUdpLimit,
                           const EdnsReply& edns = {}) {
    query_bytes_ = MakeQuery(spec);
    EXPECT_EQ(ParseQuery(query_bytes_, &query_, Transport::kTcp), ParseVerdict::kOk);
    return ResponseWriter(query_, std::span(out_).first(limit), edns);
  }
  // The octets of the options in the answer to a query with these options.
  Bytes OptionsOfAnswer(const char* options, const EdnsReply& edns) {
    ResponseWriter writer = WriterFor({.name = "x", .opt = OptSpec{.options = Hex(options)}}, 512, edns);
    return Decode(Finish(writer)).value().opt.value().options;
  }
  Bytes Finish(ResponseWriter& writer) {
    const size_t size = writer.Finish();
    return Bytes(out_.begin(), out_.begin() + static_cast<long>(size));
  }

  Bytes query_bytes_;
  ParsedQuery query_;
  std::array<uint8_t, 65535> out_{};
};

TEST_F(ResponseTest, WritesAnAddressOctetForOctet) {
  ResponseWriter writer =
      WriterFor({.name = "CdN.org", .id = 0xbeef, .flags = kFlagRd | kFlagCd | kFlagZ | kFlagAd});
  writer.set_authoritative();
  AddAddress(writer, Section::kAnswer, query_.qname, 60s, IpAddress::Parse("198.18.0.7").value());
  EXPECT_EQ(Finish(writer), Hex(R"(
    be ef              # id
    85 10              # QR AA RD CD; not RA, Z, AD
    00 01 00 01 00 00 00 00
    03 43 64 4e 03 6f 72 67 00 00 01 00 01   # the question in its own case
    c0 0c 00 01 00 01 00 00 00 3c 00 04      # the name again, A IN, 60 s
    c6 12 00 07
  )"));
}

TEST_F(ResponseTest, CompressesSoaAgainstTheQuestion) {
  ResponseWriter writer = WriterFor({.name = "a.x.org", .opt = OptSpec{.dnssec_ok = true}});
  writer.set_rcode(Rcode::kNxDomain);
  const Name apex = Name::Parse("X.org").value();
  AddRecord(writer, Section::kAuthority, apex, RrType::kSoa, 300s, Hex(R"(
    03 6e 73 31 01 78 03 6f 72 67 00    # ns1.x.org.
    02 68 6d 03 6e 65 74 00             # hm.net.
    00 00 00 01 00 00 00 02 00 00 00 03 00 00 00 04 00 00 00 05
  )"));
  EXPECT_EQ(Finish(writer), Hex(R"(
    12 34 80 03 00 01 00 00 00 01 00 01
    01 61 01 78 03 6f 72 67 00 00 01 00 01
    c0 0e 00 06 00 01 00 00 01 2c 00 22      # x.org. SOA IN 300, 34 octets
    03 6e 73 31 c0 0e                        # ns1 and a pointer
    02 68 6d 03 6e 65 74 00
    00 00 00 01 00 00 00 02 00 00 00 03 00 00 00 04 00 00 00 05
    00 00 29 04 d0 00 00 80 00 00 00         # OPT 1232, DO
  )"));
}

TEST_F(ResponseTest, LeavesNamesInOtherTypesAlone) {
  ResponseWriter writer = WriterFor({.name = "x.org"});
  const Bytes rdata = Hex("01 78 03 6f 72 67 00");
  AddRecord(writer, Section::kAnswer, query_.qname, static_cast<RrType>(39), 1s, rdata);
  EXPECT_EQ(Decode(Finish(writer))->answer.at(0).rdata, rdata);
}

TEST_F(ResponseTest, SplitsTheExtendedRcode) {
  ResponseWriter writer = WriterFor({.name = "x.org", .opt = OptSpec{}});
  writer.set_rcode(Rcode::kBadVers);
  const Bytes bytes = Finish(writer);
  EXPECT_EQ(bytes[3] & 0xf, 0);
  EXPECT_EQ(Decode(bytes)->rcode, Rcode::kBadVers);
}

TEST_F(ResponseTest, SetsTcWhenTheAnswerDoesNotFitAndKeepsRoomForOpt) {
  for (const bool edns : {false, true}) {
    ResponseWriter writer =
        WriterFor({.name = "x.org", .opt = edns ? std::optional(OptSpec{}) : std::nullopt});
    for (int i = 0; i < 40; ++i) {
      AddAddress(writer, Section::kAnswer, query_.qname, 60s, IpAddress::Parse("198.18.0.7").value());
    }
    EXPECT_TRUE(writer.truncated());
    const Bytes bytes = Finish(writer);
    EXPECT_LE(bytes.size(), 512u);
    const auto message = Decode(bytes);
    ASSERT_TRUE(message.has_value());
    EXPECT_NE(message->flags & kFlagTc, 0);
    EXPECT_EQ(message->opt.has_value(), edns);
    EXPECT_EQ(message->answer.size(), edns ? 29u : 30u);
  }
}

TEST_F(ResponseTest, LeavesOutAdditionalRecordsWithoutTc) {
  ResponseWriter writer = WriterFor({.name = "x.org"});
  AddRecord(writer, Section::kAnswer, query_.qname, RrType::kTxt, 1s, Bytes(470, 1));
  AddAddress(writer, Section::kAdditional, query_.qname, 1s, IpAddress::Parse("198.18.0.7").value());
  const auto message = Decode(Finish(writer));
  ASSERT_TRUE(message.has_value());
  EXPECT_EQ(message->flags & kFlagTc, 0);
  EXPECT_EQ(message->answer.size(), 1u);
  EXPECT_TRUE(message->additional.empty());
}

TEST_F(ResponseTest, ClampsTtls) {
  ResponseWriter writer = WriterFor({.name = "x.org"});
  const IpAddress address;
  AddAddress(writer, Section::kAnswer, query_.qname, -5s, address);
  AddAddress(writer, Section::kAnswer, query_.qname, std::chrono::seconds(int64_t{1} << 40), address);
  const auto message = Decode(Finish(writer));
  EXPECT_EQ(message->answer.at(0).ttl, 0u);
  EXPECT_EQ(message->answer.at(1).ttl, 0x7fffffffu);
}

TEST_F(ResponseTest, UdpLimitFollowsTheClientWithinBounds) {
  ParsedQuery query;
  EXPECT_EQ(UdpLimit(query), 512u);
  for (const auto& [payload, limit] :
       {std::pair{0, 512}, {512, 512}, {1000, 1000}, {1232, 1232}, {65535, 1232}}) {
    query.edns = Edns{.udp_payload = static_cast<uint16_t>(payload)};
    EXPECT_EQ(UdpLimit(query), static_cast<size_t>(limit)) << payload;
  }
}

TEST_F(ResponseTest, WritesEveryRcode) {
  for (const Rcode rcode :
       {Rcode::kNoError, Rcode::kFormErr, Rcode::kServFail, Rcode::kNxDomain, Rcode::kNotImp, Rcode::kRefused,
        Rcode::kYxDomain, Rcode::kNotAuth, Rcode::kBadVers, Rcode::kBadCookie}) {
    ResponseWriter writer = WriterFor({.name = ".", .opt = OptSpec{}});
    writer.set_rcode(rcode);
    Bytes expected = Hex(R"(
      12 34 80 00 00 01 00 00 00 00 00 01   # the low four bits of the rcode in octet 3
      00 00 01 00 01                        # . A IN
      00 00 29 04 d0 00 00 00 00 00 00      # OPT; the high eight bits in octet 22
    )");
    expected[3] = static_cast<uint8_t>(static_cast<uint16_t>(rcode) & 0xf);
    expected[22] = static_cast<uint8_t>(static_cast<uint16_t>(rcode) >> 4);
    EXPECT_EQ(Finish(writer), expected) << static_cast<int>(rcode);
  }
}

TEST_F(ResponseTest, WritesEveryOptionOctetForOctet) {
  const Bytes id = {'d', 'n', 's', '1'};
  std::array<uint8_t, kFullCookieSize> cookie;
  for (size_t i = 0; i < cookie.size(); ++i) cookie[i] = static_cast<uint8_t>(i + 1);
  const EdnsReply edns{.nsid = id, .cookie = cookie, .client_subnet_scope = 20, .keepalive = 30s};
  EXPECT_EQ(OptionsOfAnswer("00 08 00 07 00 01 18 00 c6 12 07", edns), Hex(R"(
    00 03 00 04 64 6e 73 31                # NSID "dns1"
    00 08 00 07 00 01 18 14 c6 12 07       # ECS 198.18.7.0/24, scope 20
    00 0a 00 18                            # cookie: client's part, server's part
    01 02 03 04 05 06 07 08
    09 0a 0b 0c 0d 0e 0f 10 11 12 13 14 15 16 17 18
    00 0b 00 02 01 2c                      # keepalive 300 x 100 ms
  )"));
  EXPECT_TRUE(OptionsOfAnswer("", {}).empty());
}

TEST_F(ResponseTest, EchoesClientSubnetsOfEveryFamily) {
  const EdnsReply edns{.client_subnet_scope = 48};
  for (const auto& [query, answer] : {
           std::pair{"00 08 00 0b 00 02 38 00 20 01 0d b8 00 00 01",
                     "00 08 00 0b 00 02 38 30 20 01 0d b8 00 00 01"},
           {"00 08 00 06 00 01 0f 00 c6 12", "00 08 00 06 00 01 0f 30 c6 12"},
           {"00 08 00 04 00 00 00 00", "00 08 00 04 00 00 00 00"},  // no subnet told: no scope
           {"00 08 00 04 00 01 00 00", "00 08 00 04 00 01 00 00"},
           {"00 08 00 04 00 02 00 00", "00 08 00 04 00 02 00 00"},
           {"", ""},
       }) {
    EXPECT_EQ(OptionsOfAnswer(query, edns), Hex(answer)) << query;
  }
}

TEST_F(ResponseTest, CountsKeepaliveInWholeUnitsWithinSixteenBits) {
  for (const auto& [time, hex] : {std::pair<std::chrono::milliseconds, const char*>{0ms, "00 0b 00 02 00 00"},
                                  {199ms, "00 0b 00 02 00 01"},
                                  {-1s, "00 0b 00 02 00 00"},
                                  {10000s, "00 0b 00 02 ff ff"}}) {
    EXPECT_EQ(OptionsOfAnswer("00 0b 00 00", {.keepalive = time}), Hex(hex));
  }
}

TEST_F(ResponseTest, CutsAnNsidThatIsTooLong) {
  const Bytes id(kMaxNsidSize + 1, 'n');
  EXPECT_EQ(OptionsOfAnswer("", {.nsid = id}).size(), kOptionHeaderSize + kMaxNsidSize);
}

TEST_F(ResponseTest, WritesNoOptionsForAQueryWithoutEdns) {
  const Bytes id = {'n'};
  ResponseWriter writer =
      WriterFor({.name = "x"}, 512, {.nsid = id, .client_subnet_scope = 1, .keepalive = 1s});
  EXPECT_EQ(Finish(writer).size(), kHeaderSize + 7);
}

TEST_F(ResponseTest, SetsExactlyTheRoomOfTheOptionsApart) {
  const Bytes id(100, 'n');
  const EdnsReply edns{.nsid = id, .cookie = std::array<uint8_t, kFullCookieSize>{}};
  const size_t room = 512 - kHeaderSize - 7 - (2 + 10) - (kOptSize + 4 + 100 + 4 + 24);
  for (const size_t excess : {0, 1}) {
    ResponseWriter writer = WriterFor({.name = "x", .opt = OptSpec{}}, 512, edns);
    AddRecord(writer, Section::kAnswer, query_.qname, RrType::kTxt, 1s, Bytes(room + excess));
    EXPECT_EQ(writer.truncated(), excess == 1);
    const Bytes bytes = Finish(writer);
    if (excess == 0) {
      EXPECT_EQ(bytes.size(), 512u);
    }
    EXPECT_EQ(Decode(bytes)->opt->options.size(), 4u + 100 + 4 + 24);
  }
}

TEST_F(ResponseTest, SaysTruncatedWithHeaderQuestionAndOptOnly) {
  ResponseWriter writer =
      WriterFor({.name = "x", .opt = OptSpec{}}, 512, {.cookie = std::array<uint8_t, kFullCookieSize>{}});
  writer.set_truncated();
  AddAddress(writer, Section::kAnswer, query_.qname, 60s, IpAddress());
  EXPECT_EQ(Finish(writer), Hex(R"(
    12 34 82 00 00 01 00 00 00 00 00 01          # QR TC
    01 78 00 00 01 00 01
    00 00 29 04 d0 00 00 00 00 00 1c             # OPT with a cookie
    00 0a 00 18 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00
  )"));
}

TEST_F(ResponseTest, LeavesASetOutWhole) {
  ResponseWriter writer = WriterFor({.name = "x.org"});
  const Bytes text(150, 1);
  const std::vector<ResponseWriter::Rdata> two(2, text), four(4, text);
  writer.AddSet(Section::kAnswer, query_.qname, RrType::kTxt, 1s, two);
  EXPECT_FALSE(writer.truncated());
  writer.AddSet(Section::kAnswer, Name::Parse("y.org").value(), RrType::kTxt, 1s, four);
  EXPECT_TRUE(writer.truncated());
  AddAddress(writer, Section::kAdditional, query_.qname, 1s, IpAddress());  // would fit, but comes after
  const auto message = Decode(Finish(writer));
  ASSERT_TRUE(message.has_value());
  EXPECT_EQ(message->answer.size(), 2u);
  EXPECT_TRUE(message->additional.empty());
}

TEST_F(ResponseTest, SetsTcForRequiredGlueOnly) {
  const Bytes text(450, 1);
  const std::vector<IpAddress> many(5, IpAddress::Parse("198.18.0.7").value());
  for (const Need need : {Need::kOptional, Need::kRequired}) {
    ResponseWriter writer = WriterFor({.name = "x.org"});
    AddRecord(writer, Section::kAuthority, query_.qname, RrType::kTxt, 1s, text);
    writer.AddAddresses(Section::kAdditional, query_.qname, 1s, many, need);
    AddAddress(writer, Section::kAdditional, query_.qname, 1s, many[0], need);
    const auto message = Decode(Finish(writer));
    ASSERT_TRUE(message.has_value());
    const bool required = need == Need::kRequired;
    EXPECT_EQ((message->flags & kFlagTc) != 0, required);
    EXPECT_EQ(message->additional.size(), required ? 0u : 1u);  // the small set still found room
  }
}

TEST_F(ResponseTest, CompressesAgainstAllThatStandsBefore) {
  ResponseWriter writer = WriterFor({.name = "x.org"});
  const Bytes ns1 = Hex("03 6e 73 31 01 79 03 6e 65 74 00"), ns2 = Hex("03 6e 73 32 01 79 03 6e 65 74 00");
  const Bytes mx = Hex("00 0a 04 4d 41 49 4c 01 59 03 6e 65 74 00");
  const std::vector<ResponseWriter::Rdata> servers = {ns1, ns2};
  writer.AddSet(Section::kAnswer, query_.qname, RrType::kNs, 1s, servers);
  AddRecord(writer, Section::kAnswer, query_.qname, RrType::kMx, 1s, mx);
  AddAddress(writer, Section::kAdditional, Name::Parse("NS2.y.net").value(), 1s, IpAddress());
  EXPECT_EQ(Finish(writer), Hex(R"(
    12 34 80 00 00 01 00 03 00 00 00 01
    01 78 03 6f 72 67 00 00 01 00 01
    c0 0c 00 02 00 01 00 00 00 01 00 0b      # 23: x.org. NS
    03 6e 73 31 01 79 03 6e 65 74 00         # 35: ns1.y.net.; y.net. is at 39
    c0 0c 00 02 00 01 00 00 00 01 00 06      # 46
    03 6e 73 32 c0 27                        # 58: ns2 and y.net.
    c0 0c 00 0f 00 01 00 00 00 01 00 09      # 64: MX
    00 0a 04 4d 41 49 4c c0 27               # 76: 10, MAIL and y.net.
    c0 3a 00 01 00 01 00 00 00 01 00 04      # 85: what stands at 58
    00 00 00 00
  )"));
}

TEST_F(ResponseTest, PointsRecordsOfASetToTheirFirst) {
  ResponseWriter writer = WriterFor({.name = "x.org"});
  const std::vector<IpAddress> two(2);
  writer.AddAddresses(Section::kAnswer, Name::Parse("a.b").value(), 1s, two);
  writer.AddAddresses(Section::kAnswer, Name(), 1s, two);
  EXPECT_EQ(Finish(writer).size(), kHeaderSize + 11 + (5 + 14) + (2 + 14) + (1 + 14) + (1 + 14));
}

TEST_F(ResponseTest, ForgetsTheNamesOfASetThatIsLeftOut) {
  ResponseWriter writer = WriterFor({.name = "x.org"});
  const Name a = Name::Parse("a.b.c.d").value();
  const Bytes big(490, 1);
  AddRecord(writer, Section::kAdditional, a, RrType::kTxt, 1s, big);
  AddAddress(writer, Section::kAdditional, a, 1s, IpAddress());
  const auto message = Decode(Finish(writer));
  ASSERT_TRUE(message.has_value());
  ASSERT_EQ(message->additional.size(), 1u);
  EXPECT_EQ(message->additional[0].owner, "a.b.c.d.");
}

TEST_F(ResponseTest, NeverPointsBeyondWhatAPointerReaches) {
  ResponseWriter writer = WriterFor({.name = "x.org"}, kTcpLimit);
  const Bytes big(kPointerLimit, 1);
  const std::vector<IpAddress> two(2);
  AddRecord(writer, Section::kAnswer, query_.qname, RrType::kTxt, 1s, big);
  writer.AddAddresses(Section::kAnswer, Name::Parse("a.b").value(), 1s, two);
  const auto message = Decode(Finish(writer));
  ASSERT_TRUE(message.has_value());
  EXPECT_EQ(message->answer.at(1).owner, "a.b.");
  EXPECT_EQ(message->answer.at(2).owner, "a.b.");
}

TEST_F(ResponseTest, GoesOnWithoutRoomForMoreSuffixes) {
  ResponseWriter writer = WriterFor({.name = "x.org"}, kTcpLimit);
  for (size_t i = 0; i < 2 * SuffixTable::kMaxSuffixes; ++i) {
    const Name owner = Name::Parse("n" + std::to_string(i)).value();
    AddAddress(writer, Section::kAnswer, owner, 1s, IpAddress());
    AddAddress(writer, Section::kAnswer, owner, 1s, IpAddress());
  }
  const auto message = Decode(Finish(writer));
  ASSERT_TRUE(message.has_value());
  for (size_t i = 0; i < message->answer.size(); ++i) {
    EXPECT_EQ(message->answer[i].owner, "n" + std::to_string(i / 2) + ".");
  }
}

TEST_F(ResponseTest, LeavesRdataThatIsNotWhatItsTypeSaysAsItIs) {
  ResponseWriter writer = WriterFor({.name = "x.org"});
  const Bytes odd = Hex("03 61");
  for (const RrType type : {RrType::kNs, RrType::kMx, RrType::kSoa}) {
    AddRecord(writer, Section::kAnswer, query_.qname, type, 1s, odd);
  }
  const auto message = Decode(Finish(writer));
  ASSERT_TRUE(message.has_value());
  for (const auto& record : message->answer) EXPECT_EQ(record.rdata, odd);
}

}  // namespace
}  // namespace perigee::dns
