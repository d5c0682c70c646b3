#include "services/prober/scamper_protocol.h"

#include <random>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace perigee {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

// Captured from scamper 20211212 (Debian 12), byte for byte.
constexpr std::string_view kAttached =
    "OK\nMORE\nDATA 105\n"
    R"({"type":"cycle-start", "list_name":"/tmp/pb/s.sock:0", "id":1, "hostname":"vm", "start_time":1795530463})"
    "\n";
constexpr std::string_view kAnswered =
    "OK id-1\nMORE\nDATA 573\n"
    R"({"type":"ping", "version":"0.4", "method":"icmp-echo", "src":"198.18.0.1", "dst":"198.18.0.2", "start":{"sec":1795530463,"usec":849327}, "ping_sent":1, "probe_size":84, "userid":4711, "ttl":64, "wait":1, "timeout":1, "responses":[{"from":"198.18.0.2", "seq":0, "reply_size":84, "reply_ttl":64, "reply_proto":"icmp", "tx":{"sec":1795530463, "usec":849420}, "rx":{"sec":1795530463, "usec":849640}, "rtt":0.220, "probe_ipid":17750, "reply_ipid":10000, "icmp_type":0, "icmp_code":0}],"statistics":{"replies":1, "loss":0, "min":0.220, "max":0.220, "avg":0.220, "stddev":0.000}})"
    "\n";
constexpr std::string_view kHalted =
    "OK halted 2\nDATA 271\n"
    R"({"type":"ping", "version":"0.4", "method":"icmp-echo", "src":"198.18.0.1", "dst":"198.18.0.99", "start":{"sec":1795530464,"usec":252070}, "ping_sent":1, "probe_size":84, "userid":4712, "ttl":64, "wait":1, "timeout":1, "responses":[],"statistics":{"replies":0, "loss":1}})"
    "\n";
constexpr std::string_view kOverIPv6 =
    "OK id-10\nMORE\nDATA 525\n"
    R"({"type":"ping", "version":"0.4", "method":"icmp-echo", "src":"fd00::1", "dst":"fd00::2", "start":{"sec":1795530469,"usec":661135}, "ping_sent":1, "probe_size":104, "userid":9, "ttl":64, "wait":1, "timeout":1, "responses":[{"from":"fd00::2", "seq":0, "reply_size":104, "reply_ttl":64, "reply_proto":"icmp", "tx":{"sec":1795530469, "usec":661369}, "rx":{"sec":1795530469, "usec":661440}, "rtt":0.071, "icmp_type":129, "icmp_code":0}],"statistics":{"replies":1, "loss":0, "min":0.071, "max":0.071, "avg":0.071, "stddev":0.000}})"
    "\n";
constexpr std::string_view kThree =
    "DATA 1089\n"
    R"({"type":"ping", "version":"0.4", "method":"icmp-echo", "src":"198.18.0.1", "dst":"198.18.0.2", "start":{"sec":1795530466,"usec":756848}, "ping_sent":3, "probe_size":84, "userid":4720, "ttl":64, "wait":0, "wait_us":100000, "timeout":1, "responses":[{"from":"198.18.0.2", "seq":0, "reply_size":84, "reply_ttl":64, "reply_proto":"icmp", "tx":{"sec":1795530466, "usec":756856}, "rx":{"sec":1795530466, "usec":756896}, "rtt":0.040, "probe_ipid":15902, "reply_ipid":10236, "icmp_type":0, "icmp_code":0},{"from":"198.18.0.2", "seq":1, "reply_size":84, "reply_ttl":64, "reply_proto":"icmp", "tx":{"sec":1795530466, "usec":857289}, "rx":{"sec":1795530466, "usec":857337}, "rtt":0.048, "probe_ipid":14453, "reply_ipid":10251, "icmp_type":0, "icmp_code":0},{"from":"198.18.0.2", "seq":2, "reply_size":84, "reply_ttl":64, "reply_proto":"icmp", "tx":{"sec":1795530466, "usec":957682}, "rx":{"sec":1795530466, "usec":957733}, "rtt":0.051, "probe_ipid":33462, "reply_ipid":10273, "icmp_type":0, "icmp_code":0}],"statistics":{"replies":3, "loss":0, "min":0.040, "max":0.051, "avg":0.046, "stddev":0.004}})"
    "\n";

std::vector<ScamperEvent> Parse(std::string_view bytes) {
  ScamperParser parser;
  auto events = parser.Feed(bytes);
  EXPECT_TRUE(events.ok()) << events.status();
  return events.ok() ? *events : std::vector<ScamperEvent>{};
}

std::string Data(std::string_view json) {
  return "DATA " + std::to_string(json.size()) + "\n" + std::string(json);
}

TEST(ScamperProtocol, CommandLinesAreWhatScamperTakes) {
  const IpAddress address = *IpAddress::Parse("198.18.0.7");
  EXPECT_EQ(FormatPing({.user_id = 4711, .address = address}),
            "ping -U 4711 -c 1 -o 1 -i 0.1 -W 1 198.18.0.7\n");
  EXPECT_EQ(FormatPing({.user_id = 4294967295,
                        .address = *IpAddress::Parse("fd00::7"),
                        .count = 3,
                        .patience = std::chrono::seconds(2)}),
            "ping -U 4294967295 -c 3 -o 3 -i 0.1 -W 2 fd00::7\n");
  EXPECT_EQ(FormatHalt(57), "halt 57\n");
}

TEST(ScamperParser, AttachIsAcceptedAndItsCycleStartPassedOver) {
  const auto events = Parse(kAttached);
  ASSERT_EQ(events.size(), 1u);
  EXPECT_EQ(std::get<CommandAccepted>(events[0]).task_id, std::nullopt);
}

TEST(ScamperParser, AnAnswerCarriesItsUserIdAndMicroseconds) {
  const auto events = Parse(kAnswered);
  ASSERT_EQ(events.size(), 2u);
  EXPECT_EQ(std::get<CommandAccepted>(events[0]).task_id, 1u);
  const auto& result = std::get<PingResult>(events[1]);
  EXPECT_EQ(result.user_id, 4711u);
  EXPECT_EQ(result.sent, 1u);
  EXPECT_THAT(result.rtts, ElementsAre(Rtt(220)));
}

TEST(ScamperParser, AHaltedPingHasWhatWasSeen) {
  const auto events = Parse(kHalted);
  ASSERT_EQ(events.size(), 2u);
  EXPECT_EQ(std::get<CommandAccepted>(events[0]).task_id, std::nullopt) << "halted, not accepted as a task";
  EXPECT_THAT(std::get<PingResult>(events[1]).rtts, IsEmpty());
}

TEST(ScamperParser, SeveralAnswersComeInTheOrderOfSending) {
  EXPECT_THAT(std::get<PingResult>(Parse(kThree)[0]).rtts, ElementsAre(Rtt(40), Rtt(48), Rtt(51)));
  EXPECT_THAT(std::get<PingResult>(Parse(kOverIPv6)[1]).rtts, ElementsAre(Rtt(71)));
  const auto swapped = Parse(Data(
      R"({"type":"ping","userid":1,"ping_sent":2,"responses":[{"seq":1,"rtt":7,"icmp_type":0},{"seq":0,"rtt":120.5,"icmp_type":0}]})"));
  EXPECT_THAT(std::get<PingResult>(swapped[0]).rtts, ElementsAre(Rtt(120'500), Rtt(7'000)));
}

TEST(ScamperParser, AnIcmpErrorIsNoAnswer) {
  const auto events = Parse(Data(
      R"({"type":"ping","userid":1,"ping_sent":1,"responses":[{"from":"198.18.0.9","seq":0,"rtt":3.1,"icmp_type":3,"icmp_code":1}]})"));
  EXPECT_THAT(std::get<PingResult>(events[0]).rtts, IsEmpty());
}

TEST(ScamperParser, RejectionsKeepTheirReason) {
  const auto events = Parse("ERR command not accepted\nERR no task id-99\n");
  EXPECT_EQ(std::get<CommandRejected>(events[0]).reason, "command not accepted");
  EXPECT_EQ(std::get<CommandRejected>(events[1]).reason, "no task id-99");
}

TEST(ScamperParser, TheStreamMayBeCutAnywhere) {
  const std::string stream =
      std::string(kAttached) + std::string(kAnswered) + std::string(kHalted) + std::string(kThree);
  for (size_t piece = 1; piece <= 64; ++piece) {
    ScamperParser parser;
    size_t events = 0;
    for (size_t at = 0; at < stream.size(); at += piece) {
      const auto some = parser.Feed(std::string_view(stream).substr(at, piece));
      ASSERT_TRUE(some.ok()) << some.status();
      events += some->size();
    }
    EXPECT_EQ(events, 6u) << "in pieces of " << piece;
  }
}

TEST(ScamperParser, ADataThatIsNoPingIsPassedOver) {
  for (const char* json : {"", "[]", "null", "{", R"({"type":"trace"})", R"({"type":"ping"})",
                           R"({"type":"ping","userid":-1,"ping_sent":1,"responses":[]})",
                           R"({"type":"ping","userid":4294967296,"ping_sent":1,"responses":[]})",
                           R"({"type":"ping","userid":"x","ping_sent":1,"responses":[]})",
                           R"({"type":"ping","userid":1,"ping_sent":1,"responses":{}})"}) {
    EXPECT_THAT(Parse(Data(std::string(json) + "\n")), IsEmpty()) << json;
  }
}

TEST(ScamperParser, ResponsesThatMakeNoSenseAreNoAnswers) {
  const auto events = Parse(Data(
      R"({"type":"ping","userid":1,"ping_sent":1,"responses":[7,{},{"rtt":"x","icmp_type":0},{"rtt":-1,"icmp_type":0},{"rtt":1e300,"icmp_type":0}]})"));
  EXPECT_THAT(std::get<PingResult>(events[0]).rtts, IsEmpty());
}

TEST(ScamperParser, DeepNestingIsNoDanger) { EXPECT_THAT(Parse(Data(std::string(60'000, '['))), IsEmpty()); }

TEST(ScamperParser, AForeignLanguageIsAnError) {
  for (const std::string& bytes :
       {std::string("HTTP/1.1 200 OK\r\n"), std::string("DATA x\n"), std::string("DATA 0\n"),
        std::string("DATA 65537\n"), std::string("DATA -1\n"), std::string("OK id-x\n"), std::string("\n"),
        std::string(ScamperParser::kMaxLine, 'x')}) {
    ScamperParser parser;
    const auto events = parser.Feed(bytes);
    EXPECT_EQ(events.status().code(), absl::StatusCode::kInternal) << bytes.substr(0, 20);
    EXPECT_THAT(std::string(events.status().message()), HasSubstr("unknown"));
  }
}

TEST(ScamperParser, MutatedTranscriptsNeverCrash) {
  const std::string stream = std::string(kAttached) + std::string(kAnswered) + std::string(kThree);
  std::minstd_rand rng(4711);
  for (int round = 0; round < 5000; ++round) {
    std::string mutated = stream;
    for (int i = 0; i < 4; ++i) mutated[rng() % mutated.size()] = static_cast<char>(rng() % 256);
    ScamperParser parser;
    const size_t cut = rng() % mutated.size();
    if (parser.Feed(std::string_view(mutated).substr(0, cut)).ok()) {
      (void)parser.Feed(std::string_view(mutated).substr(cut));
    }
  }
}

}  // namespace
}  // namespace perigee
