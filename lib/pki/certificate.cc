#include "lib/pki/certificate.h"

#include <chrono>
#include <ctime>
#include <optional>
#include <span>

#include "lib/pki/openssl.h"

namespace perigee {
namespace {

std::string Text(const ASN1_STRING* text) {
  return {reinterpret_cast<const char*>(ASN1_STRING_get0_data(text)),
          static_cast<size_t>(ASN1_STRING_length(text))};
}

std::string CommonNameOf(const X509* certificate) {
  const X509_NAME* subject = X509_get_subject_name(certificate);
  const int at = X509_NAME_get_index_by_NID(subject, NID_commonName, -1);
  return at < 0 ? "" : Text(X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, at)));
}

std::optional<IpAddress> AddressOf(const ASN1_OCTET_STRING* octets) {
  const std::span bytes(ASN1_STRING_get0_data(octets), static_cast<size_t>(ASN1_STRING_length(octets)));
  if (bytes.size() == 4) return IpAddress::V4(bytes.first<4>());
  if (bytes.size() == 16) return IpAddress::V6(bytes.first<16>());
  return std::nullopt;
}

AlternativeNames NamesOf(const X509* certificate) {
  AlternativeNames names;
  const pki::NamesPtr found(
      static_cast<GENERAL_NAMES*>(X509_get_ext_d2i(certificate, NID_subject_alt_name, nullptr, nullptr)));
  for (int i = 0; i < sk_GENERAL_NAME_num(found.get()); ++i) {
    const GENERAL_NAME* name = sk_GENERAL_NAME_value(found.get(), i);
    if (name->type == GEN_DNS) names.dns_names.push_back(Text(name->d.dNSName));
    if (name->type == GEN_URI) names.uris.push_back(Text(name->d.uniformResourceIdentifier));
    if (name->type != GEN_IPADD) continue;
    if (const auto address = AddressOf(name->d.iPAddress)) names.addresses.push_back(*address);
  }
  return names;
}

WallTime TimeOf(const ASN1_TIME* time) {
  tm parts{};
  ASN1_TIME_to_tm(time, &parts);
  return WallTime(std::chrono::seconds(timegm(&parts)));
}

}  // namespace

absl::StatusOr<Certificate> ReadCertificate(std::string_view pem) {
  const pki::X509Ptr certificate = pki::CertificateFrom(pem);
  if (certificate == nullptr) return absl::InvalidArgumentError("there is no certificate in PEM");
  return Certificate{.common_name = CommonNameOf(certificate.get()),
                     .names = NamesOf(certificate.get()),
                     .not_before = TimeOf(X509_get0_notBefore(certificate.get())),
                     .not_after = TimeOf(X509_get0_notAfter(certificate.get())),
                     .is_authority = X509_check_ca(certificate.get()) == 1};
}

absl::Status CheckKeyMatches(std::string_view certificate_pem, std::string_view key_pem) {
  const pki::X509Ptr certificate = pki::CertificateFrom(certificate_pem);
  if (certificate == nullptr) return absl::InvalidArgumentError("there is no certificate in PEM");
  const pki::KeyPtr key = pki::KeyFrom(key_pem);
  if (key == nullptr) return absl::InvalidArgumentError("there is no private key in PEM, without a password");
  if (EVP_PKEY_eq(X509_get0_pubkey(certificate.get()), key.get()) != 1)
    return absl::InvalidArgumentError("the key is not the certificate's");
  return absl::OkStatus();
}

bool IsSignedBy(std::string_view pem, std::string_view authority_pem) {
  const pki::X509Ptr certificate = pki::CertificateFrom(pem);
  const pki::X509Ptr authority = pki::CertificateFrom(authority_pem);
  if (certificate == nullptr || authority == nullptr) return false;
  return X509_verify(certificate.get(), X509_get0_pubkey(authority.get())) == 1;
}

}  // namespace perigee
