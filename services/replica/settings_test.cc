#include "services/replica/settings.h"

#include <gmock/gmock.h>

#include <functional>
#include <utility>

#include "lib/config/fleet.h"

namespace perigee::replica {
namespace {

using ::testing::HasSubstr;

absl::StatusOr<Settings> Parse(std::vector<std::string> arguments, const std::string& fleet_text = "") {
  CLI::App app;
  Flags flags;
  AddFlags(&app, &flags);
  std::reverse(arguments.begin(), arguments.end());
  try {
    app.parse(arguments);
  } catch (const CLI::ParseError& error) {
    return absl::InvalidArgumentError(error.what());
  }
  v1::FleetConfig fleet = DefaultFleet();
  if (!fleet_text.empty()) fleet = *ParseFleet(fleet_text, "cdn.textproto");
  return MakeSettings(flags, fleet, 3, true);
}

std::string Complaint(std::vector<std::string> arguments) {
  return std::string(Parse(std::move(arguments)).status().message());
}

constexpr char kFleet[] = R"(
  domain: "cdn.example"
  origin: "http://origin.example:81"
  replica { name: "a" ipv4: "192.0.2.1" }
  cache { budget_bytes: 5000 memory_budget_bytes: 4000 path: "x.sqlite" })";

TEST(Settings, DefaultsAreThoseOfTheHelp) {
  const auto settings = Parse({"-p", "8080", "-o", "origin.example"});
  ASSERT_TRUE(settings.ok()) << settings.status();
  EXPECT_EQ(settings->server.listen.size(), 2u);
  EXPECT_EQ(settings->server.listen[1].ToString(), "[::]:8080");
  EXPECT_EQ(settings->server.threads, 3);
  EXPECT_EQ(settings->control.ToString(), "127.0.0.1:4302");
  EXPECT_EQ(settings->cache.budget_bytes, 10'000'000u);
  EXPECT_EQ(settings->cache.memory_budget_bytes, 10'000'000u);
  EXPECT_EQ(settings->server.limits.max_object_bytes, 10'000'000u);
  EXPECT_FALSE(settings->server.policy.store_set_cookie);
}

TEST(Settings, StoringSetCookieIsASwitchForServerAndCache) {
  const auto settings = Parse({"-p", "8080", "-o", "origin.example", "--store-set-cookie"});
  ASSERT_TRUE(settings.ok()) << settings.status();
  EXPECT_TRUE(settings->server.policy.store_set_cookie);
  EXPECT_TRUE(settings->cache.policy.store_set_cookie);
}

TEST(Settings, FleetFileCountsWhereNoFlagDoes) {
  const auto file = Parse({"-p", "80"}, kFleet);
  ASSERT_TRUE(file.ok()) << file.status();
  EXPECT_EQ(file->server.origin.base, "http://origin.example:81");
  EXPECT_EQ(file->cache.path, "x.sqlite");
  EXPECT_EQ(file->cache.memory_budget_bytes, 4'000u);
  const auto flags = Parse({"-p", "80", "-o", "b", "--cache", "y", "--cache-bytes", "900"}, kFleet);
  EXPECT_EQ(flags->server.origin.base, "http://b");
  EXPECT_EQ(flags->cache.path, "y");
  EXPECT_EQ(flags->cache.budget_bytes, 900u);
}

TEST(Settings, ListensWhereTold) {
  const auto settings = Parse({"-p", "80", "-o", "a", "--listen", "127.0.0.1", "--listen", "[::1]"});
  ASSERT_TRUE(settings.ok()) << settings.status();
  EXPECT_EQ(settings->server.listen[1].ToString(), "[::1]:80");
}

TEST(Settings, EverySizeLimitIsAFlag) {
  const std::pair<const char*, std::function<uint64_t(const Limits&)>> flags[] = {
      {"--max-connections", [](const Limits& l) { return l.max_connections; }},
      {"--max-header-bytes", [](const Limits& l) { return l.max_header_bytes; }},
      {"--max-header-fields", [](const Limits& l) { return l.max_header_fields; }},
      {"--max-target-bytes", [](const Limits& l) { return l.max_target_bytes; }},
      {"--max-request-body-bytes", [](const Limits& l) { return l.max_request_body_bytes; }},
      {"--max-response-header-bytes", [](const Limits& l) { return l.max_response_header_bytes; }},
      {"--max-origin-connections", [](const Limits& l) { return l.max_origin_connections; }},
      {"--max-idle-origin-connections", [](const Limits& l) { return l.max_idle_origin_connections; }},
      {"--max-object-bytes", [](const Limits& l) { return l.max_object_bytes; }},
      {"--max-flight-bytes", [](const Limits& l) { return l.max_flight_bytes; }},
  };
  for (const auto& [flag, limit] : flags) {
    const auto settings = Parse({"-p", "80", "-o", "a", flag, "777"});
    ASSERT_TRUE(settings.ok()) << flag << ": " << settings.status();
    EXPECT_EQ(limit(settings->server.limits), 777u) << flag;
  }
}

TEST(Settings, EveryTimeoutIsAFlag) {
  const std::pair<const char*, std::function<milliseconds(const ServerOptions&)>> flags[] = {
      {"--header-timeout-ms", [](const ServerOptions& s) { return s.limits.header_timeout; }},
      {"--keep-alive-timeout-ms", [](const ServerOptions& s) { return s.limits.keep_alive_timeout; }},
      {"--body-timeout-ms", [](const ServerOptions& s) { return s.limits.body_timeout; }},
      {"--write-timeout-ms", [](const ServerOptions& s) { return s.limits.write_timeout; }},
      {"--resolve-timeout-ms", [](const ServerOptions& s) { return s.resolver.timeout; }},
      {"--connect-timeout-ms", [](const ServerOptions& s) { return s.limits.connect_timeout; }},
      {"--first-byte-timeout-ms", [](const ServerOptions& s) { return s.limits.first_byte_timeout; }},
      {"--idle-timeout-ms", [](const ServerOptions& s) { return s.limits.idle_timeout; }},
      {"--fetch-timeout-ms", [](const ServerOptions& s) { return s.limits.fetch_timeout; }},
      {"--origin-keep-alive-ms", [](const ServerOptions& s) { return s.limits.origin_keep_alive; }},
  };
  for (const auto& [flag, limit] : flags) {
    const auto settings = Parse({"-p", "80", "-o", "a", flag, "777"});
    ASSERT_TRUE(settings.ok()) << flag << ": " << settings.status();
    EXPECT_EQ(limit(settings->server), milliseconds(777)) << flag;
  }
}

TEST(Settings, ComplaintsNameTheFlag) {
  EXPECT_THAT(Complaint({"-o", "a"}), HasSubstr("--port"));
  EXPECT_THAT(Complaint({"-p", "80"}), HasSubstr("no origin"));
  EXPECT_THAT(Complaint({"-p", "0", "-o", "a"}), HasSubstr("--port"));
  EXPECT_THAT(Complaint({"-p", "80", "-o", "https://a"}), HasSubstr("https"));
  EXPECT_THAT(Complaint({"-p", "80", "-o", "a", "--listen", "x"}), HasSubstr("--listen x"));
  EXPECT_THAT(Complaint({"-p", "80", "-o", "a", "--control", "x"}), HasSubstr("--control x"));
  EXPECT_THAT(Complaint({"-p", "80", "-o", "a", "--header-timeout-ms", "0"}),
              HasSubstr("--header-timeout-ms"));
  EXPECT_THAT(Complaint({"-p", "80", "-o", "a", "--wrong"}), HasSubstr("--wrong"));
}

}  // namespace
}  // namespace perigee::replica
