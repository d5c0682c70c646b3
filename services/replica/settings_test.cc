#include "services/replica/settings.h"

#include <gmock/gmock.h>

#include <functional>
#include <utility>

#include "CLI/CLI.hpp"
#include "absl/strings/str_replace.h"
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
  return MakeSettings(flags, fleet, {.cores = 3, .ipv6 = true, .memory_bytes = 1'000'000'000});
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

TEST(Settings, TheCacheTakesAQuarterOfTheMemoryUnlessAskedFor) {
  const auto memory = [](std::vector<std::string> flags, const char* fleet = "") {
    flags.insert(flags.begin(), {"-p", "80", "-o", "a"});
    return Parse(std::move(flags), fleet)->cache.memory_budget_bytes;
  };
  EXPECT_EQ(memory({"--cache-bytes", "200000000"}), 200'000'000u);
  EXPECT_EQ(memory({"--cache-bytes", "50000000000"}), 250'000'000u);
  EXPECT_EQ(memory({"--cache-bytes", "50000000000", "--memory-bytes", "400000000"}), 400'000'000u);
  EXPECT_EQ(memory({"--cache-bytes", "50000000000"}, kFleet), 4'000u) << "the fleet file asks for it";
}

TEST(Settings, StoringSetCookieIsASwitchForServerAndCache) {
  const auto settings = Parse({"-p", "8080", "-o", "origin.example", "--store-set-cookie"});
  ASSERT_TRUE(settings.ok()) << settings.status();
  EXPECT_TRUE(settings->server.policy.store_set_cookie);
  EXPECT_TRUE(settings->cache.policy.store_set_cookie);
}

TEST(Settings, TheStoresLimitsAreFlags) {
  const auto settings = Parse({"-p", "80", "-o", "a", "--large-object-bytes", "5000", "--disk-retry-ms", "70",
                               "--max-objects", "60"});
  ASSERT_TRUE(settings.ok()) << settings.status();
  EXPECT_EQ(settings->cache.max_objects, 60u);
  EXPECT_EQ(settings->cache.large_object_bytes, 5'000u);
  EXPECT_EQ(settings->cache.disk_retry, std::chrono::milliseconds(70));
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

// What `path` in kFleet becomes.
std::string WithField(const std::string& eviction) { return "eviction: " + eviction + " path"; }

TEST(Settings, OriginCaAndNegativeTtlComeFromFlagOrFleetFile) {
  const std::string fleet = R"(origin_ca: "a.pem" cache { negative_ttl_seconds: 5 })";
  const auto file = Parse({"-p", "80", "-o", "https://a"}, fleet);
  ASSERT_TRUE(file.ok()) << file.status();
  EXPECT_EQ(file->origin_ca, "a.pem");
  EXPECT_EQ(file->server.policy.negative_ttl, std::chrono::seconds(5));
  const auto flags =
      Parse({"-p", "80", "-o", "https://a", "--origin-ca", "b.pem", "--negative-ttl", "0"}, fleet);
  ASSERT_TRUE(flags.ok()) << flags.status();
  EXPECT_EQ(flags->origin_ca, "b.pem");
  EXPECT_EQ(flags->server.policy.negative_ttl, std::chrono::seconds(0));
}

TEST(Settings, EveryEvictionPolicyIsChosenByFlagOrFleetFile) {
  const std::pair<const char*, Eviction> names[] = {
      {"EVICTION_LFU_PER_BYTE", Eviction::kLfuPerByte},
      {"EVICTION_LFU", Eviction::kLfu},
      {"EVICTION_LFU_AGED", Eviction::kLfuAged},
      {"EVICTION_LFU_ADMISSION", Eviction::kLfuAdmission},
      {"EVICTION_GDSF", Eviction::kGdsf},
      {"EVICTION_S3_FIFO", Eviction::kS3Fifo},
      {"EVICTION_LRU", Eviction::kLru},
  };
  ASSERT_EQ(std::size(names), std::size(kEveryEviction));
  EXPECT_EQ(Parse({"-p", "80"}, kFleet)->cache.eviction, kDefaultEviction);
  for (const auto& [name, eviction] : names) {
    const auto file = Parse({"-p", "80"}, absl::StrReplaceAll(kFleet, {{"path", WithField(name)}}));
    EXPECT_EQ(file->cache.eviction, eviction) << name;
    const auto flag = Parse({"-p", "80", "--eviction", std::string(Name(eviction))}, kFleet);
    ASSERT_TRUE(flag.ok()) << flag.status();
    EXPECT_EQ(flag->cache.eviction, eviction) << name;
  }
  const auto lru = absl::StrReplaceAll(kFleet, {{"path", WithField("EVICTION_LRU")}});
  const auto both = Parse({"-p", "80", "--eviction", "lfu-per-byte"}, lru);
  EXPECT_EQ(both->cache.eviction, Eviction::kLfuPerByte) << "the flag counts, though it names the default";
  EXPECT_THAT(Complaint({"-p", "80", "-o", "a", "--eviction", "fifo"}), HasSubstr("--eviction"));
}

TEST(Settings, ListensWhereTold) {
  const auto settings = Parse({"-p", "80", "-o", "a", "--listen", "127.0.0.1", "--listen", "[::1]"});
  ASSERT_TRUE(settings.ok()) << settings.status();
  EXPECT_EQ(settings->server.listen[1].ToString(), "[::1]:80");
}

TEST(Settings, EverySizeLimitIsAFlag) {
  const std::pair<const char*, std::function<uint64_t(const Limits&)>> flags[] = {
      {"--max-connections", [](const Limits& l) { return l.max_connections; }},
      {"--max-connections-per-address", [](const Limits& l) { return l.max_connections_per_address; }},
      {"--min-rate", [](const Limits& l) { return l.min_rate; }},
      {"--max-header-bytes", [](const Limits& l) { return l.max_header_bytes; }},
      {"--max-header-fields", [](const Limits& l) { return l.max_header_fields; }},
      {"--max-target-bytes", [](const Limits& l) { return l.max_target_bytes; }},
      {"--max-request-body-bytes", [](const Limits& l) { return l.max_request_body_bytes; }},
      {"--max-response-header-bytes", [](const Limits& l) { return l.max_response_header_bytes; }},
      {"--max-origin-connections", [](const Limits& l) { return l.max_origin_connections; }},
      {"--max-origin-connections-per-address",
       [](const Limits& l) { return l.max_origin_connections_per_address; }},
      {"--max-idle-origin-connections", [](const Limits& l) { return l.max_idle_origin_connections; }},
      {"--max-object-bytes", [](const Limits& l) { return l.max_object_bytes; }},
      {"--max-flight-bytes", [](const Limits& l) { return l.max_flight_bytes; }},
      {"--max-origin-failures", [](const Limits& l) { return l.max_origin_failures; }},
      {"--max-tunnels", [](const Limits& l) { return l.max_tunnels; }},
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
      {"--drain-idle-timeout-ms", [](const ServerOptions& s) { return s.limits.drain_idle_timeout; }},
      {"--drain-handshake-timeout-ms",
       [](const ServerOptions& s) { return s.limits.drain_handshake_timeout; }},
      {"--resolve-timeout-ms", [](const ServerOptions& s) { return s.resolver.timeout; }},
      {"--connect-timeout-ms", [](const ServerOptions& s) { return s.limits.connect_timeout; }},
      {"--first-byte-timeout-ms", [](const ServerOptions& s) { return s.limits.first_byte_timeout; }},
      {"--idle-timeout-ms", [](const ServerOptions& s) { return s.limits.idle_timeout; }},
      {"--fetch-timeout-ms", [](const ServerOptions& s) { return s.limits.fetch_timeout; }},
      {"--origin-keep-alive-ms", [](const ServerOptions& s) { return s.limits.origin_keep_alive; }},
      {"--origin-hold-off-ms", [](const ServerOptions& s) { return s.limits.origin_hold_off; }},
      {"--max-origin-hold-off-ms", [](const ServerOptions& s) { return s.limits.max_origin_hold_off; }},
      {"--failure-hold-ms", [](const ServerOptions& s) { return s.limits.failure_hold; }},
      {"--tunnel-idle-timeout-ms", [](const ServerOptions& s) { return s.limits.tunnel_idle_timeout; }},
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
  EXPECT_THAT(Complaint({"-p", "80", "-o", "ftp://a"}), HasSubstr("https://"));
  EXPECT_THAT(Complaint({"-p", "80", "-o", "http://a", "--origin-ca", "ca.pem"}), HasSubstr("--origin-ca"));
  EXPECT_THAT(Complaint({"-p", "80", "-o", "a", "--negative-ttl", "86401"}), HasSubstr("--negative-ttl"));
  EXPECT_THAT(Complaint({"-p", "80", "-o", "a", "--listen", "x"}), HasSubstr("--listen x"));
  EXPECT_THAT(Complaint({"-p", "80", "-o", "a", "--control", "x"}), HasSubstr("--control x"));
  EXPECT_THAT(Complaint({"-p", "80", "-o", "a", "--header-timeout-ms", "0"}),
              HasSubstr("--header-timeout-ms"));
  EXPECT_THAT(Complaint({"-p", "80", "-o", "a", "--wrong"}), HasSubstr("--wrong"));
}

TEST(Settings, NothingIsToldUnlessAsked) {
  const auto settings = Parse({"-p", "8080", "-o", "origin.example"});
  ASSERT_TRUE(settings.ok()) << settings.status();
  EXPECT_FALSE(settings->metrics);
  EXPECT_TRUE(settings->access_log.empty());
  EXPECT_TRUE(settings->server.served_names.empty());
}

TEST(Settings, TheHttpSectionCountsWhereNoFlagDoes) {
  const std::string fleet = std::string(kFleet) + R"(
    http { metrics_listen: "127.0.0.1:9354" access_log: "a.log" access_log_format: "json" served_name: "a.example" })";
  const auto file = Parse({"-p", "80"}, fleet);
  ASSERT_TRUE(file.ok()) << file.status();
  EXPECT_EQ(file->metrics->ToString(), "127.0.0.1:9354");
  EXPECT_EQ(file->access_log, "a.log");
  EXPECT_EQ(file->access_log_format, AccessLogFormat::kJson);
  EXPECT_TRUE(file->server.served_names.Has("a.example"));
  const auto flags =
      Parse({"-p", "80", "--metrics", "[::1]:9000", "--access-log", "b.log", "--access-log-format",
             "combined", "--serve-name", "b.example", "--serve-name", "*.c.example"},
            fleet);
  ASSERT_TRUE(flags.ok()) << flags.status();
  EXPECT_EQ(flags->metrics->ToString(), "[::1]:9000");
  EXPECT_EQ(flags->access_log, "b.log");
  EXPECT_EQ(flags->access_log_format, AccessLogFormat::kCombined);
  EXPECT_FALSE(flags->server.served_names.Has("a.example"));
  EXPECT_TRUE(flags->server.served_names.Has("x.c.example"));
}

TEST(Settings, BeaconsAreBelowTheNameInTheFleetFile) {
  const auto settings =
      Parse({"-p", "80"}, std::string(kFleet) + "steering { beacon: \"beacon.cdn.example.org\" }");
  ASSERT_TRUE(settings.ok()) << settings.status();
  RequestHead request{.method = "GET", .target = "/"};
  request.headers.Add("Host", "0123456789-abcdef.beacon.cdn.example.org");
  EXPECT_TRUE(settings->server.served_names.BeaconOf(request));
}

TEST(Settings, PassedSocketsAreWhatIsListenedOn) {
  Flags flags{.port = 80};
  Settings settings = *Parse({"-p", "80", "-o", "a"});
  const auto tcp = [](int fd, std::string_view endpoint) {
    return PassedSocket{.fd = fd, .protocol = Protocol::kTcp, .endpoint = *IpEndpoint::Parse(endpoint)};
  };
  const auto fds = UsePassed({tcp(3, "0.0.0.0:80"), tcp(4, "[::]:80")}, flags, &settings);
  ASSERT_TRUE(fds.ok()) << fds.status();
  EXPECT_THAT(*fds, ::testing::ElementsAre(3, 4));
  EXPECT_EQ(settings.server.listen.size(), 2u);
  EXPECT_EQ(settings.server.listen.front().ToString(), "0.0.0.0:80");

  EXPECT_FALSE(UsePassed({tcp(3, "0.0.0.0:8080")}, flags, &settings).ok()) << "-p asks for another";
  PassedSocket udp = tcp(3, "0.0.0.0:80");
  udp.protocol = Protocol::kUdp;
  EXPECT_THAT(std::string(UsePassed({udp}, flags, &settings).status().message()), HasSubstr("UDP"));
  flags.listen = {"192.0.2.1", "192.0.2.2"};
  settings = *Parse({"-p", "80", "-o", "a", "--listen", "192.0.2.1", "--listen", "192.0.2.2"});
  EXPECT_THAT(std::string(UsePassed({tcp(3, "192.0.2.1:80")}, flags, &settings).status().message()),
              HasSubstr("192.0.2.2:80"));
}

TEST(Settings, WhatTakesARestartIsNamed) {
  const Settings running = *Parse({"-p", "80"}, kFleet);
  EXPECT_THAT(NeedsRestart(running, running), ::testing::IsEmpty());
  Settings next = *Parse({"-p", "80", "--serve-name", "a.example"}, kFleet);
  EXPECT_THAT(NeedsRestart(running, next), ::testing::IsEmpty());
  next = *Parse({"-p", "80", "-o", "https://elsewhere", "--origin-ca", "ca.pem", "--cache-bytes", "5",
                 "--metrics", "[::1]:1", "--access-log", "b", "--insecure-control"},
                kFleet);
  EXPECT_THAT(NeedsRestart(running, next),
              ::testing::ElementsAre("origin", "origin_ca", "cache", "http.metrics_listen", "http.access_log",
                                     "control"));
}

TEST(Settings, WhatIsWrongOfTheHttpSectionIsNamed) {
  const std::vector<std::string> base = {"-p", "80", "-o", "a"};
  const auto complaint = [&](std::string flag, std::string value) {
    std::vector<std::string> all = base;
    all.push_back(std::move(flag));
    all.push_back(std::move(value));
    return Complaint(all);
  };
  EXPECT_THAT(complaint("--metrics", "localhost"), HasSubstr("--metrics localhost"));
  EXPECT_THAT(complaint("--access-log-format", "xml"), HasSubstr("--access-log-format xml"));
  EXPECT_THAT(complaint("--serve-name", "a..b"), HasSubstr("\"a..b\""));
}

}  // namespace
}  // namespace perigee::replica
