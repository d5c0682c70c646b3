// Why a fetch from the origin failed. The names are the words of logs and of Cache-Status's detail.
#pragma once

#include <string_view>

namespace perigee::replica {

enum class FetchError {
  kNone,
  kResolve,            // the origin's name has no address
  kConnect,            // every address refused or was unreachable
  kConnectTimeout,     // an address did not answer within connect_timeout, or its TLS handshake took longer
  kTls,                // no TLS could be agreed upon
  kCertificateTime,    // the origin's certificate has expired, or is not valid yet
  kCertificateName,    // it is not for the origin's name
  kCertificateIssuer,  // it does not lead to an authority that is trusted
  kCircuitOpen,        // not asked: too many failures in a row (circuit_breaker.h)
  kTooManyOrigin,      // max_origin_connections in use for connect_timeout
  kTooManyOfClient,    // max_origin_connections_per_address in use for the client
  kClosed,             // the connection ended before the response's head
  kMalformed,          // what came is not HTTP/1.1, or no answer to what was asked
  kFirstByteTimeout,   // no response within first_byte_timeout
  kIdleTimeout,        // silence inside the response
  kFetchTimeout,       // the exchange as a whole took too long
  kCutShort,           // the connection ended inside the body
  kErrorStatus,        // the origin answered, with an error that stale-if-error covers
  kFellBehind,         // a reader of a shared body was slower than the others by more than the body's window
};

constexpr std::string_view Name(FetchError error) {
  switch (error) {
    case FetchError::kNone:
      return "none";
    case FetchError::kResolve:
      return "resolve";
    case FetchError::kConnect:
      return "connect";
    case FetchError::kConnectTimeout:
      return "connect-timeout";
    case FetchError::kTls:
      return "tls";
    case FetchError::kCertificateTime:
      return "certificate-time";
    case FetchError::kCertificateName:
      return "certificate-name";
    case FetchError::kCertificateIssuer:
      return "certificate-issuer";
    case FetchError::kCircuitOpen:
      return "circuit-open";
    case FetchError::kTooManyOrigin:
      return "origin-connections";
    case FetchError::kTooManyOfClient:
      return "client-origin-connections";
    case FetchError::kClosed:
      return "closed";
    case FetchError::kMalformed:
      return "malformed";
    case FetchError::kFirstByteTimeout:
      return "first-byte-timeout";
    case FetchError::kIdleTimeout:
      return "idle-timeout";
    case FetchError::kFetchTimeout:
      return "fetch-timeout";
    case FetchError::kCutShort:
      return "cut-short";
    case FetchError::kErrorStatus:
      return "error-status";
    case FetchError::kFellBehind:
      return "fell-behind";
  }
  return "unknown";
}

// Whether it was this server itself that kept the request from the origin.
constexpr bool WasNotAsked(FetchError error) {
  return error == FetchError::kCircuitOpen || error == FetchError::kTooManyOrigin ||
         error == FetchError::kTooManyOfClient;
}

// 504 when the origin was too slow (RFC 9110 §15.6.5), 503 when it is not asked for a while, or not for this
// client, else 502.
constexpr int StatusFor(FetchError error) {
  switch (error) {
    case FetchError::kConnectTimeout:
    case FetchError::kTooManyOrigin:
    case FetchError::kFirstByteTimeout:
    case FetchError::kIdleTimeout:
    case FetchError::kFetchTimeout:
      return 504;
    case FetchError::kCircuitOpen:
    case FetchError::kTooManyOfClient:
      return 503;
    default:
      return 502;
  }
}

}  // namespace perigee::replica
