// OpenSSL's types as owned values, for this folder.
#pragma once

#include <openssl/bn.h>
#include <openssl/evp.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include <memory>
#include <string>
#include <string_view>

#include "absl/status/status.h"

namespace perigee::pki {

template <auto Free>
struct Freer {
  template <typename T>
  void operator()(T* it) const {
    Free(it);
  }
};

using X509Ptr = std::unique_ptr<X509, Freer<X509_free>>;
using KeyPtr = std::unique_ptr<EVP_PKEY, Freer<EVP_PKEY_free>>;
using BioPtr = std::unique_ptr<BIO, Freer<BIO_free>>;
using BignumPtr = std::unique_ptr<BIGNUM, Freer<BN_free>>;
using ExtensionPtr = std::unique_ptr<X509_EXTENSION, Freer<X509_EXTENSION_free>>;
using NamesPtr = std::unique_ptr<GENERAL_NAMES, Freer<GENERAL_NAMES_free>>;

// The first of its kind in a PEM text; null when there is none.
X509Ptr CertificateFrom(std::string_view pem);
KeyPtr KeyFrom(std::string_view pem);

// Empty when OpenSSL fails.
std::string ToPem(X509* certificate);
std::string ToPem(EVP_PKEY* key);

// Internal, with what OpenSSL said last.
absl::Status OpensslError(std::string_view doing);

}  // namespace perigee::pki
