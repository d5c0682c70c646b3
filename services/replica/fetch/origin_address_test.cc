#include "services/replica/fetch/origin_address.h"

#include <gmock/gmock.h>

namespace perigee::replica {
namespace {

using ::testing::HasSubstr;

std::string Base(std::string_view text) {
  const auto origin = OriginAddress::Parse(text);
  return origin.ok() ? origin->base : std::string(origin.status().message());
}

TEST(OriginAddress, TakesHostHostPortAndUrl) {
  EXPECT_EQ(Base("origin.example"), "http://origin.example");
  EXPECT_EQ(Base("origin.example:8080"), "http://origin.example:8080");
  EXPECT_EQ(Base("http://origin.example:80/"), "http://origin.example");
  EXPECT_EQ(Base("192.0.2.1:81"), "http://192.0.2.1:81");
  EXPECT_EQ(Base("[2001:db8::1]:81"), "http://[2001:db8::1]:81");
  EXPECT_EQ(OriginAddress::Parse("[2001:db8::1]")->host, "2001:db8::1");
}

TEST(OriginAddress, HttpsHasItsOwnPort) {
  EXPECT_EQ(Base("https://origin.example"), "https://origin.example");
  EXPECT_EQ(Base("https://origin.example:443/"), "https://origin.example");
  EXPECT_EQ(Base("https://origin.example:80"), "https://origin.example:80");
  EXPECT_EQ(Base("http://origin.example:443"), "http://origin.example:443");
  EXPECT_EQ(OriginAddress::Parse("https://origin.example")->port, 443);
  EXPECT_TRUE(OriginAddress::Parse("https://origin.example")->https);
  EXPECT_FALSE(OriginAddress::Parse("origin.example")->https);
}

TEST(OriginAddress, NamesWhatIsWrong) {
  EXPECT_THAT(Base("ftp://a"), HasSubstr("scheme ftp"));
  EXPECT_THAT(Base("a:99999"), HasSubstr("\"a:99999\""));
  EXPECT_THAT(Base("a:0"), HasSubstr("port"));
  EXPECT_THAT(Base("http://u@a"), HasSubstr("user names"));
  EXPECT_THAT(Base("http://a/path"), HasSubstr("path"));
  EXPECT_THAT(Base("http://"), HasSubstr("host is missing"));
  EXPECT_THAT(Base(""), HasSubstr("host"));
  EXPECT_THAT(Base("a b"), HasSubstr("no host"));
}

}  // namespace
}  // namespace perigee::replica
