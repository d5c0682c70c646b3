#include "lib/log/log_levels.h"

#include <gmock/gmock.h>

namespace perigee {
namespace {

using testing::HasSubstr;

LogLevels Parsed(std::string_view text) {
  const auto levels = ParseLogLevels(text);
  EXPECT_TRUE(levels.ok()) << levels.status();
  return levels.value_or(LogLevels(LogLevel::kOff));
}

std::string ErrorOf(std::string_view text) { return std::string(ParseLogLevels(text).status().message()); }

TEST(LogLevels, ALevelAloneIsForAll) {
  EXPECT_EQ(Parsed("debug"), LogLevels(LogLevel::kDebug));
  EXPECT_EQ(Parsed("warn"), LogLevels(LogLevel::kWarning));
  EXPECT_EQ(Parsed("warning"), LogLevels(LogLevel::kWarning));
  EXPECT_EQ(Parsed("off"), LogLevels(LogLevel::kOff));
}

TEST(LogLevels, AModuleHasALevelOfItsOwn) {
  LogLevels expected(LogLevel::kWarning);
  expected[LogModule::kDnsMeasurement] = LogLevel::kDebug;
  EXPECT_EQ(Parsed("warn,dns.measurement=debug"), expected);
}

TEST(LogLevels, WhatNoneIsAboutLogsFromInfoOn) {
  const LogLevels levels = Parsed("dns.fleet=error");
  EXPECT_EQ(levels[LogModule::kDnsFleet], LogLevel::kError);
  EXPECT_EQ(levels[LogModule::kMain], LogLevel::kInfo);
}

TEST(LogLevels, AProgramsNameMeansItsModulesAndALaterWordWins) {
  const LogLevels levels = Parsed("off,dns=debug,dns.state=error");
  EXPECT_EQ(levels[LogModule::kDnsFleet], LogLevel::kDebug);
  EXPECT_EQ(levels[LogModule::kDnsState], LogLevel::kError);
  EXPECT_EQ(levels[LogModule::kReplicaCache], LogLevel::kOff);
  EXPECT_EQ(Parsed("dns=debug,off"), LogLevels(LogLevel::kOff));
}

TEST(LogLevels, EachModuleIsCalledByItsWord) {
  for (size_t i = 0; i < kLogModules; ++i) {
    const auto module = static_cast<LogModule>(i);
    LogLevels expected;
    expected[module] = LogLevel::kError;
    EXPECT_EQ(Parsed(std::string(Word(module)) + "=error"), expected) << Word(module);
  }
}

TEST(LogLevels, AWrongWordIsNamedBesideThoseThatAreRight) {
  EXPECT_EQ(ErrorOf("loud"), "\"loud\" is no level: there are debug, info, warning, error, off");
  EXPECT_EQ(ErrorOf("info,"), "\"\" is no level: there are debug, info, warning, error, off");
  EXPECT_EQ(ErrorOf("dns.fleet=loud"), "\"loud\" is no level: there are debug, info, warning, error, off");
  for (const char* const wrong : {"dns.flee=info", "dn=info", "=info", "dns.=info"}) {
    EXPECT_THAT(ErrorOf(wrong), HasSubstr("is no module: there are main, ")) << wrong;
    EXPECT_THAT(ErrorOf(wrong), HasSubstr("dns.measurement")) << wrong;
  }
}

}  // namespace
}  // namespace perigee
