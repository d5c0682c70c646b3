#include "lib/dns_wire/response.h"

#include <array>

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

class ResponseTest : public ::testing::Test {
 protected:
  ResponseWriter WriterFor(const testing::QuerySpec& spec, size_t limit = kPlainUdpLimit) {
    query_bytes_ = MakeQuery(spec);
    EXPECT_EQ(ParseQuery(query_bytes_, &query_), ParseVerdict::kOk);
    return ResponseWriter(query_, std::span(out_).first(limit));
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
  writer.AddAddress(Section::kAnswer, query_.qname, 60s, IpAddress::Parse("198.18.0.7").value());
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
  writer.AddRecord(Section::kAuthority, apex, RrType::kSoa, 300s, Hex(R"(
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
  writer.AddRecord(Section::kAnswer, query_.qname, static_cast<RrType>(39), 1s, rdata);
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
      writer.AddAddress(Section::kAnswer, query_.qname, 60s, IpAddress::Parse("198.18.0.7").value());
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
  writer.AddRecord(Section::kAnswer, query_.qname, RrType::kTxt, 1s, Bytes(470, 1));
  writer.AddAddress(Section::kAdditional, query_.qname, 1s, IpAddress::Parse("198.18.0.7").value());
  const auto message = Decode(Finish(writer));
  ASSERT_TRUE(message.has_value());
  EXPECT_EQ(message->flags & kFlagTc, 0);
  EXPECT_EQ(message->answer.size(), 1u);
  EXPECT_TRUE(message->additional.empty());
}

TEST_F(ResponseTest, ClampsTtls) {
  ResponseWriter writer = WriterFor({.name = "x.org"});
  const IpAddress address;
  writer.AddAddress(Section::kAnswer, query_.qname, -5s, address);
  writer.AddAddress(Section::kAnswer, query_.qname, std::chrono::seconds(int64_t{1} << 40), address);
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

}  // namespace
}  // namespace perigee::dns
