#include "services/dns/state/row_codec.h"

#include "gtest/gtest.h"

namespace perigee::dns {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

const ClockPair kNow{MonoTime(seconds(10'000)), WallTime(seconds(1'700'000'000))};
const std::vector<ReplicaNumber> kNumbers = {1, 2, 300};
const IpPrefix kV4 = *IpPrefix::Parse("198.18.7.0/24"), kV6 = *IpPrefix::Parse("2001:db8:1:200::/56");

// Where `numbers` is by ReplicaId.
std::vector<std::optional<ReplicaId>> Ids(std::vector<ReplicaNumber> numbers) {
  std::vector<std::optional<ReplicaId>> ids(kMaxReplicaNumbers + 1);
  for (size_t i = 0; i < numbers.size(); ++i) ids[numbers[i]] = ToReplicaId(i);
  return ids;
}

MapRow Row() {
  MapRow row{.decision = {ToReplicaId(1), Reason::kHysteresis}, .measured_at = kNow.mono - seconds(100)};
  row.samples[0] = {milliseconds(30), Method::kTcpSyn};
  row.samples[1] = {milliseconds(20), Method::kIcmpEcho};
  row.samples[2] = {Rtt::zero(), Method::kSilent};
  return row;
}

std::string Encoded(const IpPrefix& prefix = kV4) {
  std::string data;
  EncodeRow(prefix, Row(), kNumbers, kNow, &data);
  return data;
}

TEST(RowCodec, WritesTheOctetsThatItSays) {
  const std::string expected{
      "\x98\xc6\x12\x07\x00\x00\x00\x00\x00"  // IPv4, /24, 198.18.7.0
      "\x00\x02\x06"                          // replica 2, hysteresis
      "\x65\x53\xf0\x9c"                      // 1,699,999,900
      "\x00\x01\x20\x00\x75\x30"              // replica 1, tcp-syn, 30,000 us
      "\x00\x02\x10\x00\x4e\x20"              // replica 2, icmp-echo, 20,000 us
      "\x01\x2c\x30\x00\x00\x00",             // replica 300, silent
      34};
  EXPECT_EQ(Encoded(), expected);
}

TEST(RowCodec, AnotherProcessReadsItByItsOwnClockAndOrder) {
  const ClockPair later{MonoTime(seconds(50'000)), kNow.wall + seconds(7)};
  for (const IpPrefix& prefix : {kV4, kV6}) {
    const auto stored = DecodeRow(Encoded(prefix), 3, Ids({300, 2, 1}), later);
    ASSERT_TRUE(stored);
    EXPECT_EQ(stored->prefix, prefix);
    EXPECT_EQ(later.mono - stored->row.measured_at, seconds(107));
    EXPECT_EQ(stored->row.decision.replica, ToReplicaId(1));
    EXPECT_EQ(stored->row.decision.reason, Reason::kHysteresis);
    EXPECT_EQ(stored->row.samples[0].method, Method::kSilent);
    EXPECT_EQ(stored->row.samples[1].rtt, milliseconds(20));
    EXPECT_EQ(stored->row.samples[2].rtt, milliseconds(30));
    EXPECT_EQ(stored->row.samples[2].method, Method::kTcpSyn);
  }
}

TEST(RowCodec, WithoutTheDecidedReplicaTheNearestOfTheOthersIsDecided) {
  const auto stored = DecodeRow(Encoded(), 3, Ids({300, 1}), kNow);
  ASSERT_TRUE(stored);
  EXPECT_EQ(stored->row.decision.replica, ToReplicaId(1));
  EXPECT_EQ(stored->row.decision.reason, Reason::kMeasuredBest);
  EXPECT_EQ(stored->row.samples[2].method, Method::kUnknown);
}

TEST(RowCodec, OfAnotherFleetsReplicasNothingIsLeft) {
  EXPECT_FALSE(DecodeRow(Encoded(), 3, Ids({7, 8}), kNow));
  EXPECT_FALSE(DecodeRow(Encoded(), 3, Ids({300}), kNow)) << "silence decides nothing";
}

TEST(RowCodec, AFloorIsReadAsOne) {
  MapRow row = Row();
  row.decision = {ToReplicaId(0), Reason::kLeastFloor};
  row.samples[0] = {milliseconds(30), Method::kLastHop};
  std::string data;
  EncodeRow(kV4, row, kNumbers, kNow, &data);
  const auto stored = DecodeRow(data, 3, Ids(kNumbers), kNow);
  ASSERT_TRUE(stored);
  EXPECT_EQ(stored->row.decision.reason, Reason::kLeastFloor);
  EXPECT_TRUE(stored->row.samples[0].is_floor());
  EXPECT_EQ(stored->row.samples[0].rtt, milliseconds(30));
}

TEST(RowCodec, AFutureTimeCountsAsNow) {
  const auto stored = DecodeRow(Encoded(), 3, Ids(kNumbers), {kNow.mono, kNow.wall - seconds(5000)});
  ASSERT_TRUE(stored);
  EXPECT_EQ(stored->row.measured_at, kNow.mono);
}

TEST(RowCodec, SenselessOctetsAreRefused) {
  const std::string good = Encoded();
  for (size_t size = 0; size < good.size(); ++size) {
    if (size >= 16 && (size - 16) % 6 == 0) continue;  // fewer samples, and the rest is whole
    EXPECT_FALSE(DecodeRow(good.substr(0, size), 3, Ids(kNumbers), kNow)) << size;
  }
  const auto with = [&](size_t at, char octet) {
    std::string data = good;
    data[at] = octet;
    return DecodeRow(data, 3, Ids(kNumbers), kNow).has_value();
  };
  EXPECT_FALSE(with(0, '\xa1')) << "IPv4 /33";
  EXPECT_FALSE(with(0, '\x41')) << "IPv6 /65";
  EXPECT_FALSE(with(11, 0)) << "no reason";
  EXPECT_FALSE(with(11, kReasons)) << "no such reason";
  EXPECT_FALSE(with(18, '\x70')) << "no such method";
}

TEST(RowCodec, ALargeFleetsRowIsAsLongAsWhatIsKnown) {
  std::vector<ReplicaNumber> numbers(1000);
  for (size_t i = 0; i < numbers.size(); ++i) numbers[i] = static_cast<ReplicaNumber>(i + 2000);
  MapRow row{.decision = {ToReplicaId(998), Reason::kMeasuredBest},
             .measured_at = kNow.mono,
             .samples = Samples(1000)};
  row.samples[998] = {milliseconds(3), Method::kIcmpEcho};
  std::string data;
  EncodeRow(kV4, row, numbers, kNow, &data);
  EXPECT_EQ(data.size(), 22u);
  const auto stored = DecodeRow(data, 1000, Ids(numbers), kNow);
  ASSERT_TRUE(stored);
  EXPECT_EQ(stored->row.decision.replica, ToReplicaId(998));
  EXPECT_EQ(stored->row.samples[998].rtt, milliseconds(3));
}

}  // namespace
}  // namespace perigee::dns
