#include "services/replica/fetch/unkeyed_fields.h"

#include <gmock/gmock.h>

namespace perigee::replica {
namespace {

const IpAddress kStranger = *IpAddress::Parse("192.0.2.7");

http::HeaderList Kept(std::string_view method, std::string_view name, const IpAddress& client = kStranger) {
  http::HeaderList fields = {{"Accept", "*/*"}, {name, "evil"}};
  RemoveUnkeyedFields(method, client, &fields);
  return fields;
}

TEST(UnkeyedFields, ClaimsOfAStrangerDoNotReachTheOrigin) {
  for (const char* name : {"X-Forwarded-Host",
                           "x-forwarded-proto",
                           "X-FORWARDED-SCHEME",
                           "X-Forwarded-Port",
                           "X-Forwarded-Prefix",
                           "X-Forwarded-Server",
                           "X-Forwarded-Ssl",
                           "Forwarded",
                           "X-Host",
                           "X-Original-URL",
                           "X-Rewrite-URL",
                           "X-Original-Host",
                           "X-HTTP-Host-Override",
                           "X-Real-IP",
                           "True-Client-IP",
                           "X-Client-IP",
                           "Proxy",
                           "X-Forwarded-Anything",
                           "X-Original-Method",
                           "X_Forwarded_Host",
                           "x-forwarded_host",
                           "X.Forwarded.Proto",
                           "X_Forwarded_For",
                           "X_Real_IP"}) {
    for (const char* method : {"GET", "HEAD", "POST"}) {
      EXPECT_EQ(Kept(method, name).text(), "Accept: */*\r\nX-Forwarded-For: 192.0.2.7\r\n") << method << name;
    }
  }
}

TEST(UnkeyedFields, WhatMayBeStoredIsAskedForByItsOwnMethod) {
  for (const char* name :
       {"X-HTTP-Method-Override", "X-HTTP-Method", "X-Method-Override", "X_HTTP_Method_Override"}) {
    EXPECT_FALSE(Kept("GET", name).Has(name)) << name;
    EXPECT_FALSE(Kept("HEAD", name).Has(name)) << name;
    EXPECT_TRUE(Kept("POST", name).Has(name)) << name;
  }
}

TEST(UnkeyedFields, ForwardedForIsTheClientThatIsSeen) {
  EXPECT_EQ(Kept("GET", "X-Forwarded-For").Combined("X-Forwarded-For"), "192.0.2.7");
  // What ends TLS on this host tells whom it speaks for.
  const IpAddress here = *IpAddress::Parse("::1");
  EXPECT_EQ(Kept("GET", "X-Forwarded-For", here).Combined("X-Forwarded-For"), "evil, ::1");
}

}  // namespace
}  // namespace perigee::replica
