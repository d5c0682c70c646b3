#include "services/dns/telemetry/decision_log.h"

#include <gmock/gmock.h>

#include <boost/json.hpp>

#include "lib/base/testing/files.h"

namespace perigee::dns {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

DecisionRecord Record(std::string_view name = "cdn.example.org") {
  DecisionRecord record{.time = WallTime(seconds(1'700'000'000) + milliseconds(7)),
                        .client = IpAddress::Parse("198.18.7.7").value(),
                        .prefix = IpPrefix::Parse("198.18.7.0/24").value(),
                        .name = Name::Parse(name).value(),
                        .type = RrType::kAaaa,
                        .transport = Transport::kTcp,
                        .reason = Reason::kMeasuredBest,
                        .method = Method::kIcmpEcho,
                        .rtt = Rtt(12345),
                        .ttl = seconds(60),
                        .scope_length = 24};
  std::string_view("dublin").copy(record.replica.data(), record.replica.size());
  return record;
}

boost::json::value Parsed(const DecisionRecord& record) { return boost::json::parse(FormatDecision(record)); }

class DecisionLogTest : public testing::Test {
 protected:
  std::string path(std::string_view name = "decisions.log") const { return folder_ / name; }

 private:
  TemporaryFolder folder_;
};

TEST(FormatDecision, TellsEverythingInOneLine) {
  EXPECT_EQ(FormatDecision(Record()),
            R"({"time":"2023-11-14T22:13:20.007Z","client":"198.18.7.7","prefix":"198.18.7.0/24",)"
            R"("name":"cdn.example.org.","type":"AAAA","protocol":"tcp","replica":"dublin",)"
            R"("reason":"measured-best","method":"icmp-echo","rtt_us":12345,"ttl":60,"scope":24})"
            "\n");
}

TEST(FormatDecision, AnRttThatNobodyMeasuredIsNull) {
  DecisionRecord record = Record();
  record.method = Method::kSilent;
  EXPECT_TRUE(Parsed(record).at("rtt_us").is_null());
}

TEST(FormatDecision, AFloorIsMarkedByItsMethod) {
  DecisionRecord record = Record();
  record.reason = Reason::kLeastFloor;
  record.method = Method::kLastHop;
  EXPECT_EQ(Parsed(record).at("reason"), "least-floor");
  EXPECT_EQ(Parsed(record).at("method"), "last-hop");
  EXPECT_EQ(Parsed(record).at("rtt_us"), 12345);
}

TEST(FormatDecision, NamesOfAnyOctetsAreJson) {
  for (int octet = 0; octet < 256; ++octet) {
    const std::array<uint8_t, 3> wire{1, static_cast<uint8_t>(octet), 0};
    Reader reader(wire);
    DecisionRecord record = Record();
    ASSERT_TRUE(Name::Read(reader, &record.name));
    const auto parsed = Parsed(record);
    EXPECT_EQ(std::string_view(parsed.at("name").as_string()), record.name.view().ToText());
  }
}

TEST(FormatDecision, AReplicaNameOfAnyOctetsAndFullLengthIsOneLineOfJson) {
  DecisionRecord record = Record();
  record.replica.fill('\xff');
  record.replica[0] = '"';
  record.replica[1] = '\\';
  record.replica[2] = '\n';
  const std::string line = FormatDecision(record);
  EXPECT_EQ(std::count(line.begin(), line.end(), '\n'), 1);
  EXPECT_TRUE(boost::json::parse(line).at("replica").as_string().starts_with("\"\\\n"));
}

TEST_F(DecisionLogTest, WritesWhatIsInTheRingsWhenItEnds) {
  auto log = DecisionLog::Open(path()).value();
  EXPECT_TRUE(log->NewRing().Push(Record("a.example")));
  EXPECT_TRUE(log->NewRing().Push(Record("b.example")));
  log.reset();
  const auto lines = Lines(path());
  ASSERT_EQ(lines.size(), 2u);
  EXPECT_EQ(boost::json::parse(lines[0]).at("name").as_string(), "a.example.");
  EXPECT_EQ(boost::json::parse(lines[1]).at("name").as_string(), "b.example.");
}

TEST_F(DecisionLogTest, AFullRingLosesAndCounts) {
  auto log = DecisionLog::Open(path()).value();
  DecisionLog::Ring& ring = log->NewRing();
  uint64_t pushed = 0;
  while (ring.Push(Record())) ++pushed;  // ends, for a push is much faster than a line's formatting
  EXPECT_GE(pushed, DecisionLog::kRingSize);
  EXPECT_EQ(log->lost(), 1u);
  ASSERT_TRUE(log->Reopen().ok());  // writes what is there
  EXPECT_EQ(log->written(), pushed);
  EXPECT_EQ(Lines(path()).size(), pushed);
  EXPECT_TRUE(ring.Push(Record()));
}

TEST_F(DecisionLogTest, AFileThatCannotBeOpenedIsNamed) {
  const auto log = DecisionLog::Open(path("absent/log"));
  EXPECT_THAT(std::string(log.status().message()), testing::HasSubstr(path("absent/log")));
}

}  // namespace
}  // namespace perigee::dns
