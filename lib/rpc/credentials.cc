#include "lib/rpc/credentials.h"

#include <grpcpp/security/auth_metadata_processor.h>
#include <grpcpp/security/tls_certificate_provider.h>
#include <grpcpp/security/tls_credentials_options.h>
#include <sys/stat.h>

#include <atomic>
#include <vector>

#include "fmt/format.h"
#include "lib/base/read_file.h"
#include "lib/log/log.h"
#include "lib/pki/certificate.h"

namespace perigee {
namespace {

namespace tls = grpc::experimental;

// A bundle of all public authorities has a quarter of it.
constexpr size_t kMaxPemBytes = 1 << 20;

std::string_view View(const grpc::string_ref& text) { return {text.data(), text.size()}; }

// Refuses, before the handler hears of it, what the caller's role may not call.
class RoleCheck final : public grpc::AuthMetadataProcessor {
 public:
  explicit RoleCheck(RefusedCalls* refused) : refused_(refused) {}

  bool IsBlocking() const override { return false; }

  grpc::Status Process(const InputMetadata& metadata, grpc::AuthContext* caller, OutputMetadata*,
                       OutputMetadata*) override {
    const auto path = metadata.find(":path");
    std::vector<std::string> uris;
    for (const grpc::string_ref& uri : caller->FindPropertyValues(GRPC_PEER_URI_PROPERTY_NAME))
      uris.emplace_back(View(uri));
    const Role role = RoleOf(uris);
    const absl::Status allowed = MayCall(role, path == metadata.end() ? "/" : View(path->second));
    if (allowed.ok()) return grpc::Status::OK;
    const std::string why(allowed.message());
    LogDebug(LogModule::kRpc, {}, "refused: {}", why);
    if (refused_ != nullptr) (*refused_)[static_cast<size_t>(role)].Add();
    return {grpc::StatusCode::PERMISSION_DENIED, why};
  }

 private:
  RefusedCalls* const refused_;
};

absl::StatusOr<std::string> ReadPem(const std::string& path) {
  auto pem = ReadFile(path, kMaxPemBytes);
  const std::string why(pem.status().message());
  if (!pem.ok()) return absl::InvalidArgumentError(fmt::format("control: {}", why));
  struct stat file {};
  if (::stat(path.c_str(), &file) == 0 && file.st_mtime == 0)
    return absl::InvalidArgumentError(fmt::format(
        "control: \"{}\" was modified at the time 0, which gRPC takes for unreadable: touch it", path));
  return pem;
}

// gRPC says nothing of files that it can't use, and serves nobody.
absl::Status Check(const ControlSecurity& security) {
  const auto ca = ReadPem(security.ca_file);
  if (!ca.ok()) return ca.status();
  const auto certificate = ReadPem(security.certificate_file);
  if (!certificate.ok()) return certificate.status();
  const auto key = ReadPem(security.key_file);
  if (!key.ok()) return key.status();
  if (!ReadCertificate(*ca).ok())
    return absl::InvalidArgumentError(
        fmt::format("control: \"{}\" holds no certificate in PEM", security.ca_file));
  if (absl::Status match = CheckKeyMatches(*certificate, *key); !match.ok()) {
    const std::string why(match.message());
    return absl::InvalidArgumentError(
        fmt::format("control: \"{}\" and \"{}\": {}", security.certificate_file, security.key_file, why));
  }
  return absl::OkStatus();
}

std::shared_ptr<tls::CertificateProviderInterface> Watch(const ControlSecurity& security) {
  return std::make_shared<tls::FileWatcherCertificateProvider>(
      security.key_file, security.certificate_file, security.ca_file,
      static_cast<unsigned>(security.refresh.count()));
}

}  // namespace

absl::StatusOr<std::shared_ptr<grpc::ServerCredentials>> ServerCredentialsFor(const IpEndpoint& listen,
                                                                              const ControlSecurity& security,
                                                                              RefusedCalls* refused) {
  if (!security.has_tls()) {
    if (listen.address.is_loopback() || security.insecure) return grpc::InsecureServerCredentials();
    return absl::InvalidArgumentError(
        fmt::format("the control port {} is beyond loopback and has no certificates: name ca_file, "
                    "certificate_file and key_file in the fleet file's control section, or say "
                    "--insecure-control",
                    listen.ToString()));
  }
  if (absl::Status status = Check(security); !status.ok()) return status;
  tls::TlsServerCredentialsOptions options(Watch(security));
  options.watch_root_certs();
  options.watch_identity_key_cert_pairs();
  options.set_cert_request_type(GRPC_SSL_REQUEST_AND_REQUIRE_CLIENT_CERTIFICATE_AND_VERIFY);
  auto credentials = tls::TlsServerCredentials(options);
  credentials->SetAuthMetadataProcessor(std::make_shared<RoleCheck>(refused));
  return credentials;
}

struct CallerCredentials::Files {
  explicit Files(const ControlSecurity& security) : provider(Watch(security)) {}

  const std::shared_ptr<tls::CertificateProviderInterface> provider;
  std::atomic<uint64_t> channels = 0;
};

absl::StatusOr<CallerCredentials> CallerCredentials::For(const ControlSecurity& security) {
  CallerCredentials credentials;
  if (!security.has_tls()) return credentials;
  if (absl::Status status = Check(security); !status.ok()) return status;
  credentials.files_ = std::make_shared<Files>(security);
  return credentials;
}

// gRPC 1.51 (grpc_tls_certificate_distributor) takes up a name of certificates with the first connection that
// watches it and drops it with the last, but counts them under one lock and acts under another. Who comes
// second in between is told nothing yet, and its handshake fails at once; who comes while the last one goes
// is never told. A name that one subchannel watches all its life has neither, and the provider serves any
// name.
std::shared_ptr<grpc::ChannelCredentials> CallerCredentials::ForOneChannel() const {
  if (files_ == nullptr) return grpc::InsecureChannelCredentials();
  const std::string name = std::to_string(files_->channels++);
  tls::TlsChannelCredentialsOptions options;
  options.set_certificate_provider(files_->provider);
  options.watch_root_certs();
  options.set_root_cert_name(name);
  options.watch_identity_key_cert_pairs();
  options.set_identity_cert_name(name);
  return tls::TlsCredentials(options);
}

}  // namespace perigee
