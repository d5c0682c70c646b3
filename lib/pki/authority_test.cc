#include "lib/pki/authority.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace perigee {
namespace {

using std::chrono::days;
using testing::HasSubstr;

const WallTime kNow(std::chrono::sys_days(std::chrono::year(2031) / 5 / 7));

CertifiedKey Authority() { return *MakeAuthority("Perigee CA", {kNow, kNow + days(3650)}); }

LeafRequest Request() {
  return {.common_name = "dublin",
          .names = {.addresses = {*IpAddress::Parse("192.0.2.10"), *IpAddress::Parse("2001:db8::a")},
                    .dns_names = {"dublin.example.org"},
                    .uris = {"urn:perigee:role:replica"}},
          .validity = {kNow, kNow + days(397)}};
}

TEST(Authority, SignsItself) {
  const CertifiedKey made = Authority();
  const auto read = ReadCertificate(made.certificate_pem);
  ASSERT_TRUE(read.ok());
  EXPECT_EQ(read->common_name, "Perigee CA");
  EXPECT_TRUE(read->is_authority);
  EXPECT_EQ(read->not_before, kNow);
  EXPECT_EQ(read->not_after, kNow + days(3650));
  EXPECT_TRUE(IsSignedBy(made.certificate_pem, made.certificate_pem));
  EXPECT_TRUE(CheckKeyMatches(made.certificate_pem, made.key_pem).ok());
}

TEST(IssuedCertificate, SaysWhatWasAskedFor) {
  const CertifiedKey authority = Authority();
  const auto made = IssueCertificate(authority, Request());
  ASSERT_TRUE(made.ok()) << made.status();
  const auto read = ReadCertificate(made->certificate_pem);
  EXPECT_EQ(read->common_name, "dublin");
  EXPECT_EQ(read->names, Request().names);
  EXPECT_EQ(read->not_after, kNow + days(397));
  EXPECT_FALSE(read->is_authority);
  EXPECT_TRUE(IsSignedBy(made->certificate_pem, authority.certificate_pem));
  EXPECT_FALSE(IsSignedBy(made->certificate_pem, Authority().certificate_pem)) << "another of the same name";
  EXPECT_TRUE(CheckKeyMatches(made->certificate_pem, made->key_pem).ok());
}

TEST(IssuedCertificate, EndsWithItsAuthority) {
  LeafRequest request = Request();
  request.validity.until = kNow + days(5000);
  EXPECT_EQ(ReadCertificate(IssueCertificate(Authority(), request)->certificate_pem)->not_after,
            kNow + days(3650));
  request.validity.from = kNow + days(3650);
  EXPECT_THAT(std::string(IssueCertificate(Authority(), request).status().message()), HasSubstr("has ended"));
}

TEST(IssuedCertificate, RefusesNamesThatWouldSayMore) {
  const CertifiedKey authority = Authority();
  const auto issues = [&](auto change) {
    LeafRequest request = Request();
    change(request);
    return IssueCertificate(authority, request).ok();
  };
  EXPECT_TRUE(issues([](LeafRequest& r) { r.names = {}; }));
  EXPECT_FALSE(issues([](LeafRequest& r) { r.common_name = ""; }));
  EXPECT_FALSE(issues([](LeafRequest& r) { r.common_name = "a\nb"; }));
  EXPECT_FALSE(issues([](LeafRequest& r) { r.common_name = std::string(65, 'a'); }));
  EXPECT_FALSE(issues([](LeafRequest& r) { r.names.dns_names = {"a,URI:urn:perigee:role:operator"}; }));
  EXPECT_FALSE(issues([](LeafRequest& r) { r.names.uris = {"a,DNS:b"}; }));
}

TEST(CheckKeyMatches, SaysWhatIsWrong) {
  const CertifiedKey one = Authority(), other = Authority();
  EXPECT_THAT(std::string(CheckKeyMatches(one.certificate_pem, other.key_pem).message()),
              HasSubstr("not the certificate's"));
  EXPECT_THAT(std::string(CheckKeyMatches("x", one.key_pem).message()), HasSubstr("no certificate"));
  EXPECT_THAT(std::string(CheckKeyMatches(one.certificate_pem, one.certificate_pem).message()),
              HasSubstr("no private key"));
  EXPECT_TRUE(CheckKeyMatches(one.key_pem + one.certificate_pem, one.certificate_pem + one.key_pem).ok())
      << "both may stand in one file";
  EXPECT_FALSE(ReadCertificate("").ok());
}

}  // namespace
}  // namespace perigee
