#include "services/replica/served_names.h"

#include <gmock/gmock.h>

namespace perigee::replica {
namespace {

RequestHead Request(std::string target, std::string_view host) {
  RequestHead request{.method = "GET", .target = std::move(target)};
  if (!host.empty()) request.headers.Add("Host", host);
  return request;
}

ServedNames Names(const std::vector<std::string>& names) { return ServedNames::Parse(names).value(); }

TEST(ServedNames, WithoutAnyEverythingIsServed) {
  EXPECT_TRUE(ServedNames().Serve(Request("/", "foreign.example")));
  EXPECT_TRUE(ServedNames().Serve(Request("/", "")));
}

TEST(ServedNames, CasePortAndFinalDotDoNotCount) {
  const ServedNames names = Names({"CDN.example.org", "192.0.2.1", "2001:db8::1"});
  for (const char* host :
       {"cdn.example.org", "cdn.EXAMPLE.org:8080", "cdn.example.org.", "cdn.example.org.:80", "192.0.2.1",
        "192.0.2.1:80", "[2001:DB8::1]:80", "[2001:db8::1]", "cdn.example.org:"}) {
    EXPECT_TRUE(names.Has(host)) << host;
  }
}

TEST(ServedNames, ForeignNamesAreNot) {
  const ServedNames names = Names({"cdn.example.org", "2001:db8::1"});
  for (const char* host :
       {"", "example.org", "x.cdn.example.org", "cdn.example.org.evil.example", "cdn.example.org:80x",
        "cdn.example.org..", "[2001:db8::1", "[2001:db8::1]x", "2001:db8::1", "cdn.example.org:80:80"}) {
    EXPECT_FALSE(names.Has(host)) << host;
  }
  EXPECT_FALSE(names.Has(std::string(254, 'a')));
  EXPECT_FALSE(names.Has(std::string(100'000, 'a')));
}

TEST(ServedNames, AStarIsEveryNameBelow) {
  const ServedNames names = Names({"*.example.org"});
  EXPECT_TRUE(names.Has("a.example.org"));
  EXPECT_TRUE(names.Has("a.b.Example.ORG:80"));
  EXPECT_FALSE(names.Has("example.org"));
  EXPECT_FALSE(names.Has(".example.org"));
  EXPECT_FALSE(names.Has("aexample.org"));
}

TEST(ServedNames, AnAbsoluteTargetCountsBeforeHost) {
  const ServedNames names = Names({"cdn.example.org"});
  EXPECT_TRUE(names.Serve(Request("HTTP://cdn.example.org:80/x", "foreign.example")));
  EXPECT_TRUE(names.Serve(Request("http://cdn.example.org?q", "foreign.example")));
  EXPECT_FALSE(names.Serve(Request("http://foreign.example/cdn.example.org", "cdn.example.org")));
  EXPECT_FALSE(names.Serve(Request("http://cdn.example.org@foreign.example/", "cdn.example.org")));
  EXPECT_FALSE(names.Serve(Request("/", "")));
}

TEST(ServedNames, WhatIsNoNameIsNamed) {
  for (const char* text :
       {"", "*", "*.", "a..b", "-a b", "http://a", "a:80", "*.192.0.2.1/24", "a,b", "[::1]"}) {
    const auto names = ServedNames::Parse({"good.example", text});
    EXPECT_THAT(std::string(names.status().message()), testing::HasSubstr("\"" + std::string(text) + "\""))
        << text;
  }
}

TEST(ServedNames, AnyIsOneOfThem) {
  EXPECT_EQ(ServedNames().Any(), "");
  for (const char* name : {"cdn.example.org", "*.example.org", "fd00::1", "192.0.2.1"}) {
    const ServedNames served = *ServedNames::Parse({name});
    EXPECT_TRUE(served.Has(served.Any())) << served.Any();
  }
  EXPECT_EQ(ServedNames::Parse({"fd00::1"})->Any(), "[fd00::1]");
}

TEST(ServedNames, ThereIsALimit) {
  EXPECT_TRUE(ServedNames::Parse(std::vector<std::string>(kMaxServedNames, "a")).ok());
  EXPECT_FALSE(ServedNames::Parse(std::vector<std::string>(kMaxServedNames + 1, "a")).ok());
}

TEST(ServedNames, ABeaconIsALabelBelowTheirName) {
  const ServedNames names = *ServedNames::Parse({"cdn.example.org"}, "Beacon.example.org.");
  const auto token = names.BeaconOf(Request("/", "0123456789-ABCDEF.beacon.EXAMPLE.org:8080"));
  ASSERT_TRUE(token);
  EXPECT_EQ(token->text(), "0123456789-abcdef");
  EXPECT_FALSE(names.Serve(Request("/", "0123456789-abcdef.beacon.example.org"))) << "it is no served name";
  for (const char* host : {"", "beacon.example.org", ".beacon.example.org", "short.beacon.example.org",
                           "x.0123456789-abcdef.beacon.example.org", "0123456789-abcdefbeacon.example.org",
                           "0123456789-abcdef.beacon.example.org.evil.example", "cdn.example.org"}) {
    EXPECT_FALSE(names.BeaconOf(Request("/", host))) << host;
  }
  EXPECT_FALSE(Names({}).BeaconOf(Request("/", "0123456789-abcdef.beacon.example.org")));
  EXPECT_FALSE(ServedNames::Parse({}, "not a name").ok());
}

}  // namespace
}  // namespace perigee::replica
