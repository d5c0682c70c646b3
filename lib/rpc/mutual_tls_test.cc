// Mutual TLS between two real ends on loopback, with certificates made by the openssl program.
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <future>
#include <iterator>

#include "fmt/format.h"
#include "gtest/gtest.h"
#include "lib/rpc/control.h"
#include "lib/rpc/health_probe.h"

namespace perigee {
namespace {

// A temporary folder with two authorities, "ours" and "theirs", and a certificate for 127.0.0.1 of each.
class MutualTlsTest : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    std::string path = testing::TempDir() + "perigee_tls_XXXXXX";
    ASSERT_NE(::mkdtemp(path.data()), nullptr);
    folder_ = path;
    for (const char* authority : {"ours", "theirs"}) {
      ASSERT_TRUE(MakeCertificate(authority, ""));
      ASSERT_TRUE(MakeCertificate(fmt::format("{}-peer", authority),
                                  fmt::format("-CA {0}/{1}.pem -CAkey {0}/{1}.key", folder_, authority)));
    }
  }
  static void TearDownTestSuite() { std::filesystem::remove_all(folder_); }

  static bool MakeCertificate(const std::string& name, const std::string& signer) {
    const std::string command = fmt::format(
        "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 1 -subj /CN={1} "
        "-addext subjectAltName=IP:127.0.0.1 -keyout {0}/{1}.key -out {0}/{1}.pem {2} 2>/dev/null",
        folder_, name, signer);
    return std::system(command.c_str()) == 0;
  }

  // Trusts `ca` and shows the certificate that `issuer` has signed.
  static ControlSecurity Security(const std::string& ca, const std::string& issuer) {
    return {.ca_file = fmt::format("{}/{}.pem", folder_, ca),
            .certificate_file = fmt::format("{}/{}-peer.pem", folder_, issuer),
            .key_file = fmt::format("{}/{}-peer.key", folder_, issuer)};
  }

  void Start(const ControlSecurity& security) {
    auto server = ControlServer::Start(*IpEndpoint::Parse("127.0.0.1:0"), security, {});
    ASSERT_TRUE(server.ok()) << server.status();
    server_ = *std::move(server);
  }

  bool Reaches(const std::shared_ptr<grpc::ChannelCredentials>& credentials) {
    const IpEndpoint peer{*IpAddress::Parse("127.0.0.1"), static_cast<uint16_t>(server_->port())};
    HealthProbe probe(ControlChannel(peer, credentials));
    std::promise<HealthReport> report;
    probe.Check(std::chrono::milliseconds(3000), [&](HealthReport r) { report.set_value(r); });
    return report.get_future().get().serving;
  }
  bool Reaches(const ControlSecurity& security) { return Reaches(*ChannelCredentialsFor(security)); }

  static std::string folder_;
  std::unique_ptr<ControlServer> server_;
};

std::string MutualTlsTest::folder_;

TEST_F(MutualTlsTest, ACallerWithACertificateOfTheAuthorityIsServed) {
  Start(Security("ours", "ours"));
  EXPECT_TRUE(Reaches(Security("ours", "ours")));
}

TEST_F(MutualTlsTest, ACallerWithAnotherAuthoritysCertificateIsRefused) {
  Start(Security("ours", "ours"));
  EXPECT_FALSE(Reaches(Security("ours", "theirs")));
  EXPECT_TRUE(Reaches(Security("ours", "ours"))) << "the server lives on";
}

TEST_F(MutualTlsTest, ACallerWithoutACertificateIsRefused) {
  Start(Security("ours", "ours"));
  std::ifstream file(folder_ + "/ours.pem");
  const std::string ca{std::istreambuf_iterator<char>(file), {}};
  EXPECT_FALSE(Reaches(grpc::SslCredentials({.pem_root_certs = ca})));
}

TEST_F(MutualTlsTest, ACallerInPlainTextIsRefused) {
  Start(Security("ours", "ours"));
  EXPECT_FALSE(Reaches(grpc::InsecureChannelCredentials()));
}

TEST_F(MutualTlsTest, AServerOfAnotherAuthorityIsNotTrusted) {
  Start(Security("ours", "theirs"));  // it would take our certificate, but shows one of theirs
  EXPECT_FALSE(Reaches(Security("ours", "ours")));
}

}  // namespace
}  // namespace perigee
