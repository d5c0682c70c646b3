#include "services/dns/generation/map_copy.h"

#include "services/dns/generation/generation_testing.h"

namespace perigee::dns {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

const IpPrefix kV4 = *IpPrefix::Parse("198.18.7.0/24");
const IpPrefix kV6 = *IpPrefix::Parse("2001:db8:7::/56");

TEST(SameMap, TheReplicasTheirOrderAndTheSizeDecide) {
  const v1::FleetConfig before = FleetOf({"a", "b"});
  EXPECT_TRUE(SameMap(before, FleetOf({"a", "b"}, "zone { name: 'else.org' } dns { identity: 'x' }")));
  EXPECT_FALSE(SameMap(before, FleetOf({"b", "a"})));
  EXPECT_FALSE(SameMap(before, FleetOf({"a"})));
  EXPECT_FALSE(SameMap(before, FleetOf({"a", "b", "c"})));
  EXPECT_FALSE(SameMap(before, FleetOf({"a", "c"})));
  v1::FleetConfig larger = before, longer = before;
  larger.mutable_steering()->set_max_prefixes(2000);
  longer.mutable_steering()->set_hard_age_seconds(7200);
  EXPECT_FALSE(SameMap(before, larger));
  EXPECT_FALSE(SameMap(before, longer));
}

class CopyRowsTest : public ::testing::Test {
 protected:
  // Of the replicas a, b and c.
  MapRow Row(size_t decided) const {
    MapRow row{.decision = {ToReplicaId(decided), Reason::kMeasuredBest}, .measured_at = clock_.Now()};
    for (size_t i = 0; i < 3; ++i) row.samples[i] = {milliseconds(10 * (i + 1)), Method::kIcmpEcho};
    return row;
  }

  FakeClock clock_;
  const v1::FleetConfig before_ = FleetOf({"a", "b", "c"});
  const std::shared_ptr<RttMap> from_ = MakeMap(before_, clock_);
  MapRow found_;
};

TEST_F(CopyRowsTest, ReplicasTakeTheirSamplesToTheirNewNumbers) {
  from_->Put(kV4, Row(0));
  from_->Put(kV6, Row(2));
  const v1::FleetConfig after = FleetOf({"new", "c", "a"});
  const auto to = MakeMap(after, clock_);
  CopyRows(before_, *from_, after, *to);

  EXPECT_EQ(to->size(), 2u);
  ASSERT_TRUE(to->Find(kV4, &found_));
  EXPECT_EQ(found_.decision.replica, ToReplicaId(2));
  EXPECT_EQ(found_.decision.reason, Reason::kMeasuredBest);
  EXPECT_EQ(found_.measured_at, clock_.Now());
  EXPECT_EQ(found_.samples[0].method, Method::kUnknown) << "nobody measured from there";
  EXPECT_EQ(found_.samples[1].rtt, milliseconds(30));
  EXPECT_EQ(found_.samples[2].rtt, milliseconds(10));
  ASSERT_TRUE(to->Find(kV6, &found_));
  EXPECT_EQ(found_.decision.replica, ToReplicaId(1));
}

TEST_F(CopyRowsTest, ARowWhoseReplicaHasLeftStaysBehind) {
  from_->Put(kV4, Row(1));
  from_->Put(kV6, Row(2));
  const v1::FleetConfig after = FleetOf({"a", "c"});
  const auto to = MakeMap(after, clock_);
  CopyRows(before_, *from_, after, *to);
  EXPECT_FALSE(to->Find(kV4, &found_));
  EXPECT_TRUE(to->Find(kV6, &found_));
}

TEST_F(CopyRowsTest, ASmallerMapTakesWhatItHasRoomFor) {
  for (uint32_t i = 0; i < 500; ++i) {
    const uint8_t bytes[4] = {20, static_cast<uint8_t>(i >> 8), static_cast<uint8_t>(i), 0};
    from_->Put(IpPrefix(IpAddress::V4(bytes), 24), Row(0));
  }
  v1::FleetConfig after = before_;
  after.mutable_steering()->set_max_prefixes(16);
  const auto to = MakeMap(after, clock_);
  CopyRows(before_, *from_, after, *to);
  EXPECT_EQ(to->size(), to->capacity());
}

class RowsSinceTest : public CopyRowsTest {
 protected:
  void CarryOver() { PutNewer(RowsSince(since_, before_, *from_, after_), *to_); }
  MapRow RowAt(MonoTime when, size_t decided) const {
    MapRow row = Row(decided);
    row.measured_at = when;
    return row;
  }

  const v1::FleetConfig after_ = FleetOf({"c", "a"});
  const std::shared_ptr<RttMap> to_ = MakeMap(after_, clock_);
  const MonoTime since_ = clock_.Now();
};

TEST_F(RowsSinceTest, WhatWasMeasuredSinceTheCopyFollows) {
  from_->Put(kV4, RowAt(since_, 2));
  from_->Put(kV6, RowAt(since_ - seconds(2), 2));
  CarryOver();
  ASSERT_TRUE(to_->Find(kV4, &found_));
  EXPECT_EQ(found_.decision.replica, ToReplicaId(0)) << "by its new number";
  EXPECT_FALSE(to_->Find(kV6, &found_)) << "older than the copy, and so a part of it, or pushed out of it";
}

TEST_F(RowsSinceTest, ANewerRowReplacesTheCopyOfAnOlderOne) {
  to_->Put(kV4, RowAt(since_ - seconds(100), 1));
  from_->Put(kV4, RowAt(since_ + seconds(1), 2));
  CarryOver();
  ASSERT_TRUE(to_->Find(kV4, &found_));
  EXPECT_EQ(found_.decision.replica, ToReplicaId(0));
}

TEST_F(RowsSinceTest, AnOlderRowNeverReplacesANewerOne) {
  from_->Put(kV4, RowAt(since_ + seconds(5), 2));
  for (const auto newer : {milliseconds(0), milliseconds(300), milliseconds(999), milliseconds(60'000)}) {
    to_->Put(kV4, RowAt(since_ + seconds(5) + newer, 1));
    CarryOver();
    ASSERT_TRUE(to_->Find(kV4, &found_));
    EXPECT_EQ(found_.decision.replica, ToReplicaId(1)) << newer.count() << " ms newer";
  }
}

TEST_F(RowsSinceTest, ARowWhoseReplicaHasLeftStaysBehind) {
  from_->Put(kV4, RowAt(since_, 1));
  CarryOver();
  EXPECT_EQ(to_->size(), 0u);
}

}  // namespace
}  // namespace perigee::dns
