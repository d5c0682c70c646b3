// TLS towards the origin (RFC 9110 §4.3.4): TLS 1.2 or newer, HTTP/1.1 by ALPN, the certificate verified.
//
// The certificate must lead to a trusted authority, be valid now, and be for the origin's name or address, of
// which only subjectAltName speaks (RFC 9525 §6). There is no way to do without.
#pragma once

#include <openssl/ssl.h>

#include <boost/asio/ssl/stream.hpp>
#include <memory>
#include <mutex>
#include <string>

#include "absl/status/statusor.h"
#include "services/replica/fetch/fetch_error.h"
#include "services/replica/io/asio.h"

namespace perigee::replica {

using TlsStream = asio::ssl::stream<Socket&>;

// What all connections to one origin share. Thread-safe.
class TlsClient {
 public:
  // `host`: the origin's name or IP address. `authorities`: a PEM file of those that are trusted, in place of
  // the system's; empty for these. InvalidArgument names the file that cannot be used.
  static absl::StatusOr<std::unique_ptr<TlsClient>> Create(const std::string& host,
                                                           const std::string& authorities);
  TlsClient(const TlsClient&) = delete;
  TlsClient& operator=(const TlsClient&) = delete;

  // A stream for one connection, its handshake still to come: it offers the last one's session for resumption
  // (RFC 8446 §2.2). Null when there is no memory for it. `socket` must outlive it.
  std::unique_ptr<TlsStream> NewStream(Socket& socket);

 private:
  explicit TlsClient(std::string host) : host_(std::move(host)) {}
  bool Prepare(SSL* ssl);
  void KeepSession(SSL_SESSION* session);

  struct Free {
    void operator()(SSL_CTX* context) const { SSL_CTX_free(context); }
    void operator()(SSL_SESSION* session) const { SSL_SESSION_free(session); }
  };

  const std::string host_;
  std::unique_ptr<SSL_CTX, Free> context_;
  std::mutex mutex_;
  std::unique_ptr<SSL_SESSION, Free> session_;  // the newest
};

// Why `stream`'s handshake failed with `error`: as a kind, and in words for the log.
struct TlsFailure {
  FetchError error = FetchError::kNone;
  std::string why;
};
TlsFailure HandshakeFailure(TlsStream& stream, const error_code& error);

}  // namespace perigee::replica
