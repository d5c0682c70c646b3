#include "lib/log/log.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <boost/json.hpp>
#include <sstream>

#include "spdlog/sinks/ostream_sink.h"

namespace perigee {
namespace {

using testing::EndsWith;
using testing::HasSubstr;
using testing::Not;

std::string EveryOctet() {
  std::string all;
  for (int octet = 0; octet < 256; ++octet) all += static_cast<char>(octet);
  return all;
}

class LogTest : public testing::Test {
 protected:
  void Start(LogFormat format, std::string_view levels = "info") {
    StartLogging(LogOptions{.levels = ParseLogLevels(levels).value(),
                            .format = format,
                            .sink = std::make_shared<spdlog::sinks::ostream_sink_mt>(out_)});
  }
  ~LogTest() override { StartLogging(LogOptions{}); }

  std::string Said() const { return out_.str(); }
  boost::json::object Line() const { return boost::json::parse(Said()).as_object(); }

  std::ostringstream out_;
};

TEST_F(LogTest, ALineOfTextHasTimeLevelModuleAndMessage) {
  Start(LogFormat::kText);
  LogWarning(LogModule::kDnsFleet, {{"replica", "tokyo"}}, "replica {} is down", "tokyo");
  EXPECT_THAT(Said(), testing::MatchesRegex(
                          "....-..-..T..:..:......[+-]..:.. warning dns.fleet: replica tokyo is down\n"));
}

TEST_F(LogTest, ALineOfJsonHasTheFieldsToo) {
  Start(LogFormat::kJson);
  LogError(LogModule::kReplicaCache, {{"path", "a \"b\""}, {"retry_ms", 30'000}}, "the disk is {}", "out");
  const boost::json::object line = Line();
  EXPECT_THAT(std::string(line.at("time").as_string()), testing::MatchesRegex("....-..-..T..:..:..[.]...Z"));
  EXPECT_EQ(line.at("level").as_string(), "error");
  EXPECT_EQ(line.at("module").as_string(), "replica.cache");
  EXPECT_EQ(line.at("message").as_string(), "the disk is out");
  EXPECT_EQ(line.at("path").as_string(), "a \"b\"");
  EXPECT_EQ(line.at("retry_ms").as_int64(), 30'000);
}

TEST_F(LogTest, WhateverOctetsAMessageHasItIsOneLineOfJson) {
  Start(LogFormat::kJson);
  LogInfo(LogModule::kMain, {{"name", EveryOctet()}}, "{}", EveryOctet());
  EXPECT_THAT(Said(), EndsWith("}\n"));
  const std::string said = Said();
  EXPECT_EQ(std::count(said.begin(), said.end(), '\n'), 1);
  EXPECT_EQ(Line().size(), 5u);
}

TEST_F(LogTest, WhateverOctetsAMessageHasItIsOneLineOfText) {
  Start(LogFormat::kText);
  LogInfo(LogModule::kMain, {}, "{}", EveryOctet());
  EXPECT_EQ(Said().find('\n'), Said().size() - 1);
  EXPECT_THAT(Said(), HasSubstr("\\x0a\\x0b"));
}

TEST_F(LogTest, AModuleBelowItsLevelSaysNothing) {
  Start(LogFormat::kText, "error,dns.measurement=debug");
  LogDebug(LogModule::kDnsMeasurement, {}, "measured");
  LogWarning(LogModule::kDnsFleet, {}, "down");
  EXPECT_THAT(Said(), HasSubstr(" debug   dns.measurement: measured\n"));
  EXPECT_THAT(Said(), Not(HasSubstr("down")));
  EXPECT_TRUE(LogEnabled(LogModule::kDnsFleet, LogLevel::kError));
  EXPECT_FALSE(LogEnabled(LogModule::kDnsFleet, LogLevel::kWarning));
}

TEST_F(LogTest, LevelsChangeWhileItRuns) {
  Start(LogFormat::kText, "error");
  LogInfo(LogModule::kMain, {}, "before");
  SetLogLevels(ParseLogLevels("error,main=info").value());
  LogInfo(LogModule::kMain, {}, "after");
  LogInfo(LogModule::kDnsFleet, {}, "of another module");
  EXPECT_THAT(Said(), EndsWith(" main: after\n"));
  EXPECT_THAT(Said(), Not(HasSubstr("before")));
}

}  // namespace
}  // namespace perigee
