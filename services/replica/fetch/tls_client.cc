#include "services/replica/fetch/tls_client.h"

#include <fmt/format.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>

#include "lib/base/address.h"

namespace perigee::replica {
namespace {

// The length of each name, then the name (RFC 7301 §3.1).
constexpr unsigned char kAlpn[] = {8, 'h', 't', 't', 'p', '/', '1', '.', '1'};

bool Trust(SSL_CTX* context, const std::string& authorities) {
  return authorities.empty() ? SSL_CTX_set_default_verify_paths(context) == 1
                             : SSL_CTX_load_verify_file(context, authorities.c_str()) == 1;
}

FetchError KindOf(long verdict) {  // NOLINT(google-runtime-int): OpenSSL's type
  switch (verdict) {
    case X509_V_OK:
      return FetchError::kTls;
    case X509_V_ERR_CERT_HAS_EXPIRED:
    case X509_V_ERR_CERT_NOT_YET_VALID:
      return FetchError::kCertificateTime;
    case X509_V_ERR_HOSTNAME_MISMATCH:
    case X509_V_ERR_IP_ADDRESS_MISMATCH:
      return FetchError::kCertificateName;
    default:
      return FetchError::kCertificateIssuer;
  }
}

}  // namespace

absl::StatusOr<std::unique_ptr<TlsClient>> TlsClient::Create(const std::string& host,
                                                             const std::string& authorities) {
  const bool is_absolute = host.ends_with('.');  // no part of the name in SNI and certificates
  std::unique_ptr<TlsClient> client(new TlsClient(is_absolute ? host.substr(0, host.size() - 1) : host));
  client->context_.reset(SSL_CTX_new(TLS_client_method()));
  SSL_CTX* const context = client->context_.get();
  if (context == nullptr || SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION) != 1 ||
      SSL_CTX_set_alpn_protos(context, kAlpn, sizeof(kAlpn)) != 0) {
    return absl::InternalError("OpenSSL cannot start");
  }
  if (!Trust(context, authorities)) {
    ERR_clear_error();
    return absl::InvalidArgumentError(
        fmt::format("the origin's authorities, {}: give a PEM file of certificates that can be read",
                    authorities.empty() ? "those of the system" : authorities));
  }
  SSL_CTX_set_verify(context, SSL_VERIFY_PEER, nullptr);
  SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
  SSL_CTX_set_app_data(context, client.get());
  SSL_CTX_sess_set_new_cb(context, [](SSL* ssl, SSL_SESSION* session) {
    static_cast<TlsClient*>(SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl)))->KeepSession(session);
    return 1;  // it is ours now
  });
  return client;
}

void TlsClient::KeepSession(SSL_SESSION* session) {
  std::unique_ptr<SSL_SESSION, Free> newest(session);
  const std::lock_guard lock(mutex_);
  session_.swap(newest);
}

bool TlsClient::Prepare(SSL* ssl) {
  if (IpAddress::Parse(host_).ok()) {
    if (X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), host_.c_str()) != 1) return false;
  } else {
    SSL_set_hostflags(ssl, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS | X509_CHECK_FLAG_NEVER_CHECK_SUBJECT);
    // A name is also told to the server, which may have several certificates (SNI, RFC 6066 §3).
    if (SSL_set1_host(ssl, host_.c_str()) != 1 || SSL_set_tlsext_host_name(ssl, host_.c_str()) != 1) {
      return false;
    }
  }
  const std::lock_guard lock(mutex_);
  return session_ == nullptr || SSL_set_session(ssl, session_.get()) == 1;
}

std::unique_ptr<TlsStream> TlsClient::NewStream(Socket& socket) {
  SSL* const ssl = SSL_new(context_.get());
  if (ssl == nullptr) return nullptr;
  auto stream = std::make_unique<TlsStream>(socket, ssl);
  return Prepare(ssl) ? std::move(stream) : nullptr;
}

TlsFailure HandshakeFailure(TlsStream& stream, const error_code& error) {
  const auto verdict = SSL_get_verify_result(stream.native_handle());
  const FetchError kind = KindOf(verdict);
  return {.error = kind,
          .why = kind == FetchError::kTls ? error.message() : X509_verify_cert_error_string(verdict)};
}

}  // namespace perigee::replica
