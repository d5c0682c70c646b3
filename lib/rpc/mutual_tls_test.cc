// Mutual TLS between two real ends on loopback: who is let in, what a role may call, and files that change.
#include <fcntl.h>
#include <sys/stat.h>

#include <chrono>
#include <fstream>
#include <future>
#include <map>
#include <thread>
#include <utility>

#include "gmock/gmock.h"
#include "grpc/health/v1/health.grpc.pb.h"
#include "gtest/gtest.h"
#include "lib/base/testing/files.h"
#include "lib/pki/authority.h"
#include "lib/rpc/control.h"
#include "lib/rpc/health_probe.h"
#include "perigee/v1/replica.grpc.pb.h"

namespace perigee {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::HasSubstr;

constexpr seconds kPatience{15};
constexpr int kRounds = 40;
constexpr int kChannelsAtOnce = 8;

Validity AnHour() {
  const auto now = std::chrono::time_point_cast<seconds>(std::chrono::system_clock::now());
  return {now - seconds(60), now + std::chrono::hours(1)};
}

// A temporary folder with two authorities, "ours" and "theirs", and what they sign.
class MutualTlsTest : public testing::Test {
 protected:
  MutualTlsTest() {
    for (const std::string name : {"ours", "theirs"}) {
      authorities_[name] = *MakeAuthority(name, AnHour());
      Write(name + ".pem", authorities_[name].certificate_pem);
    }
  }

  void Write(const std::string& name, const std::string& text) { std::ofstream(folder_ / name) << text; }

  // Writes the files `file`.pem and .key of a new certificate.
  void Certify(const std::string& file, const std::string& authority, const std::string& common_name,
               std::vector<std::string> uris = {}) {
    const auto made = IssueCertificate(
        authorities_[authority],
        {.common_name = common_name,
         .names = {.addresses = {*IpAddress::Parse("127.0.0.1")}, .dns_names = {}, .uris = std::move(uris)},
         .validity = AnHour()});
    ASSERT_TRUE(made.ok()) << made.status();
    Write(file + ".pem", made->certificate_pem);
    Write(file + ".key", made->key_pem);
  }

  // Trusts `ca` and shows the certificate `own`.
  ControlSecurity Security(const std::string& ca, const std::string& own) {
    return {.ca_file = folder_ / (ca + ".pem"),
            .certificate_file = folder_ / (own + ".pem"),
            .key_file = folder_ / (own + ".key"),
            .refresh = seconds(1)};
  }

  // On the port that it had, when there was one.
  void Start(const std::string& ca, const std::string& own) {
    auto server = ControlServer::Start(at(), Security(ca, own), {&replica_}, &refused_);
    ASSERT_TRUE(server.ok()) << server.status();
    server_ = *std::move(server);
    port_ = static_cast<uint16_t>(server_->port());
  }
  IpEndpoint at() const { return {*IpAddress::Parse("127.0.0.1"), port_}; }

  std::shared_ptr<grpc::Channel> Channel(const CallerCredentials& credentials) {
    return ControlChannel(at(), credentials);
  }
  std::shared_ptr<grpc::Channel> Channel(const std::string& ca, const std::string& own) {
    return Channel(*CallerCredentials::For(Security(ca, own)));
  }

  static bool Reaches(const std::shared_ptr<grpc::Channel>& channel) {
    HealthProbe probe(channel);
    std::promise<HealthReport> report;
    probe.Check(milliseconds(3000), [&](HealthReport r) { report.set_value(r); });
    return report.get_future().get().serving;
  }

  // The server does nothing that it is told: UNIMPLEMENTED is from the handler.
  static grpc::Status Purge(const std::shared_ptr<grpc::Channel>& channel) {
    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() + seconds(5));
    v1::PurgeResponse response;
    return v1::Replica::NewStub(channel)->Purge(&context, {}, &response);
  }

  // The common name of the certificate that the server shows.
  static std::string Shown(const std::shared_ptr<grpc::Channel>& channel) {
    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() + seconds(5));
    grpc::health::v1::HealthCheckResponse response;
    if (!grpc::health::v1::Health::NewStub(channel)->Check(&context, {}, &response).ok()) return "";
    const auto names = context.auth_context()->FindPropertyValues(GRPC_X509_CN_PROPERTY_NAME);
    return names.size() == 1 ? std::string(names[0].data(), names[0].size()) : "";
  }

  template <typename Condition>
  static bool Becomes(Condition condition) {
    const auto deadline = std::chrono::steady_clock::now() + kPatience;
    while (!condition()) {
      if (std::chrono::steady_clock::now() > deadline) return false;
      std::this_thread::sleep_for(milliseconds(20));
    }
    return true;
  }

  uint64_t refused(Role role) const { return refused_[static_cast<size_t>(role)].value(); }

  TemporaryFolder folder_;
  std::map<std::string, CertifiedKey> authorities_;
  v1::Replica::CallbackService replica_;
  RefusedCalls refused_;
  std::unique_ptr<ControlServer> server_;
  uint16_t port_ = 0;
};

TEST_F(MutualTlsTest, ACallerOfTheAuthorityIsServedAndOthersAreNot) {
  Certify("server", "ours", "server");
  Certify("friend", "ours", "friend");
  Certify("stranger", "theirs", "stranger");
  Start("ours", "server");
  EXPECT_TRUE(Reaches(Channel("ours", "friend")));
  EXPECT_FALSE(Reaches(Channel("ours", "stranger")));
  EXPECT_FALSE(Reaches(grpc::CreateChannel(
      at().ToString(), grpc::SslCredentials({.pem_root_certs = authorities_["ours"].certificate_pem}))))
      << "without a certificate";
  EXPECT_FALSE(Reaches(Channel(CallerCredentials::PlainText()))) << "in plain text";
  EXPECT_TRUE(Reaches(Channel("ours", "friend"))) << "the server lives on";
}

TEST_F(MutualTlsTest, AServerOfAnotherAuthorityIsNotTrusted) {
  Certify("server", "theirs", "server");  // it would take our certificate, but shows one of theirs
  Certify("friend", "ours", "friend");
  Start("ours", "server");
  EXPECT_FALSE(Reaches(Channel("ours", "friend")));
}

TEST_F(MutualTlsTest, ARoleMayCallWhatIsItsOwnAndRefusalsAreCounted) {
  Certify("server", "ours", "server");
  for (const Role role : {Role::kReplica, Role::kDirector, Role::kOperator})
    Certify(std::string(Word(role)), "ours", "peer", {UriOf(role)});
  Certify("none", "ours", "operator");
  Start("ours", "server");
  EXPECT_EQ(Purge(Channel("ours", "operator")).error_code(), grpc::StatusCode::UNIMPLEMENTED);
  for (const Role role : {Role::kNone, Role::kReplica, Role::kDirector}) {
    const auto channel = Channel("ours", std::string(Word(role)));
    const grpc::Status status = Purge(channel);
    EXPECT_EQ(status.error_code(), grpc::StatusCode::PERMISSION_DENIED) << Word(role);
    EXPECT_THAT(status.error_message(), HasSubstr("perigee.v1.Replica/Purge takes an operator"));
    EXPECT_TRUE(Reaches(channel)) << "health is open to all";
    EXPECT_EQ(refused(role), 1);
  }
  EXPECT_EQ(refused(Role::kOperator), 0);
}

TEST_F(MutualTlsTest, ANewCertificateIsServedWithoutARestartAndOpenConnectionsGoOn) {
  Certify("server", "ours", "old");
  Certify("friend", "ours", "friend");
  Start("ours", "server");
  const auto before = Channel("ours", "friend");
  ASSERT_EQ(Shown(before), "old");
  Certify("server", "ours", "new");
  EXPECT_TRUE(Becomes([&] { return Shown(Channel("ours", "friend")) == "new"; }));
  EXPECT_EQ(Shown(before), "old");
}

TEST_F(MutualTlsTest, ACallersNewFilesAreUsedWithoutARestart) {
  Certify("server", "theirs", "server");
  Certify("friend", "ours", "friend");
  Write("friend-ca.pem", authorities_["ours"].certificate_pem);
  Start("theirs", "server");
  const auto credentials = *CallerCredentials::For(Security("friend-ca", "friend"));
  ASSERT_FALSE(Reaches(Channel(credentials)));
  Certify("friend", "theirs", "friend");
  Write("friend-ca.pem", authorities_["theirs"].certificate_pem);
  EXPECT_TRUE(Becomes([&] { return Reaches(Channel(credentials)); }));
}

// One that comes while another is being told what the files hold must be told as well.
TEST_F(MutualTlsTest, ChannelsThatConnectAtOnceAllHaveTheirCertificates) {
  Certify("server", "ours", "server");
  Certify("friend", "ours", "friend");
  Start("ours", "server");
  for (int round = 0; round < kRounds; ++round) {
    const auto credentials = *CallerCredentials::For(Security("ours", "friend"));
    std::vector<std::future<std::string>> shown;
    for (int i = 0; i < kChannelsAtOnce; ++i)
      shown.push_back(std::async(std::launch::async, [&] { return Shown(Channel(credentials)); }));
    for (auto& one : shown) EXPECT_EQ(one.get(), "server") << "in round " << round;
  }
}

TEST_F(MutualTlsTest, AChannelFindsAServerThatComesBack) {
  Certify("server", "ours", "server");
  Certify("friend", "ours", "friend");
  Start("ours", "server");
  const auto channel = Channel("ours", "friend");
  for (int round = 0; round < 3; ++round) {
    EXPECT_TRUE(Becomes([&] { return Reaches(channel); }));
    server_.reset();
    EXPECT_FALSE(Reaches(channel));
    Start("ours", "server");
  }
}

TEST_F(MutualTlsTest, FilesThatDoNotBelongTogetherAreNamed) {
  Certify("server", "ours", "server");
  Certify("other", "ours", "other");
  ControlSecurity security = Security("ours", "server");
  security.key_file = folder_ / "other.key";
  EXPECT_THAT(std::string(CallerCredentials::For(security).status().message()),
              HasSubstr("other.key\": the key is not the certificate's"));
  security = Security("ours", "server");
  const timespec never[2] = {};
  ASSERT_EQ(::utimensat(AT_FDCWD, security.key_file.c_str(), never, 0), 0);
  EXPECT_THAT(std::string(CallerCredentials::For(security).status().message()), HasSubstr("touch it"));
  Certify("server", "ours", "server");
  security.ca_file = security.key_file;
  EXPECT_THAT(std::string(CallerCredentials::For(security).status().message()),
              HasSubstr("holds no certificate"));
}

}  // namespace
}  // namespace perigee
