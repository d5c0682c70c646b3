#include "lib/pki/authority.h"

#include <algorithm>
#include <string_view>
#include <utility>

#include "fmt/format.h"
#include "lib/pki/openssl.h"

namespace perigee {
namespace {

constexpr size_t kMaxCommonName = 64;  // RFC 5280, ub-common-name
constexpr size_t kMaxDnsName = 253;
// RFC 5280 section 4.1.2.2: at most 20 octets, and positive.
constexpr int kSerialBits = 159;

struct Extension {
  int nid;
  std::string value;  // in the words of OpenSSL's configuration
};

bool IsPrintable(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return c >= ' ' && c <= '~'; });
}

bool IsDnsName(std::string_view name) {
  constexpr std::string_view kAllowed = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_*";
  return !name.empty() && name.size() <= kMaxDnsName && name.find_first_not_of(kAllowed) == name.npos;
}

// What would break out of a configuration's value.
bool IsUri(std::string_view uri) {
  return !uri.empty() && IsPrintable(uri) && uri.find_first_of(", ;\\\"") == uri.npos;
}

absl::Status CheckNames(const std::string& common_name, const AlternativeNames& names) {
  if (common_name.empty() || common_name.size() > kMaxCommonName || !IsPrintable(common_name))
    return absl::InvalidArgumentError(
        fmt::format("\"{}\": a name has 1 to {} printable ASCII characters", common_name, kMaxCommonName));
  for (const std::string& name : names.dns_names)
    if (!IsDnsName(name)) return absl::InvalidArgumentError(fmt::format("\"{}\" is no DNS name", name));
  for (const std::string& uri : names.uris)
    if (!IsUri(uri)) return absl::InvalidArgumentError(fmt::format("\"{}\" is no URI", uri));
  return absl::OkStatus();
}

std::string InWords(const AlternativeNames& names) {
  std::string text;
  const auto add = [&text](std::string_view kind, std::string_view value) {
    text += fmt::format("{}{}:{}", text.empty() ? "" : ",", kind, value);
  };
  for (const IpAddress& address : names.addresses) add("IP", address.ToString());
  for (const std::string& name : names.dns_names) add("DNS", name);
  for (const std::string& uri : names.uris) add("URI", uri);
  return text;
}

bool SetSerial(X509* certificate) {
  const pki::BignumPtr serial(BN_new());
  return BN_rand(serial.get(), kSerialBits, BN_RAND_TOP_ANY, BN_RAND_BOTTOM_ANY) == 1 &&
         BN_to_ASN1_INTEGER(serial.get(), X509_get_serialNumber(certificate)) != nullptr;
}

bool SetSubject(X509* certificate, const std::string& common_name) {
  const auto* bytes = reinterpret_cast<const unsigned char*>(common_name.data());
  return X509_NAME_add_entry_by_txt(X509_get_subject_name(certificate), "CN", MBSTRING_UTF8, bytes,
                                    static_cast<int>(common_name.size()), -1, 0) == 1;
}

bool SetTime(ASN1_TIME* time, WallTime to) {
  return ASN1_TIME_set(time, std::chrono::system_clock::to_time_t(to)) != nullptr;
}

bool AddExtensions(X509* certificate, X509* issuer, const std::vector<Extension>& extensions) {
  X509V3_CTX context{};
  X509V3_set_ctx(&context, issuer, certificate, nullptr, nullptr, 0);
  return std::all_of(extensions.begin(), extensions.end(), [&](const Extension& extension) {
    const pki::ExtensionPtr made(
        X509V3_EXT_conf_nid(nullptr, &context, extension.nid, extension.value.c_str()));
    return made != nullptr && X509_add_ext(certificate, made.get(), -1) == 1;
  });
}

// What both kinds have in common; `issuer` is null for one that signs itself.
struct Draft {
  const std::string& common_name;
  const Validity& validity;
  std::vector<Extension> extensions;
  X509* issuer = nullptr;
  EVP_PKEY* issuer_key = nullptr;
};

absl::StatusOr<CertifiedKey> Make(const Draft& draft) {
  const pki::KeyPtr key(EVP_PKEY_Q_keygen(nullptr, nullptr, "EC", "P-256"));
  const pki::X509Ptr certificate(X509_new());
  X509* const made = certificate.get();
  X509* const issuer = draft.issuer == nullptr ? made : draft.issuer;
  EVP_PKEY* const signer = draft.issuer == nullptr ? key.get() : draft.issuer_key;
  const bool ok =
      key != nullptr && made != nullptr && X509_set_version(made, X509_VERSION_3) == 1 && SetSerial(made) &&
      SetSubject(made, draft.common_name) && X509_set_issuer_name(made, X509_get_subject_name(issuer)) == 1 &&
      SetTime(X509_getm_notBefore(made), draft.validity.from) &&
      SetTime(X509_getm_notAfter(made), draft.validity.until) && X509_set_pubkey(made, key.get()) == 1 &&
      AddExtensions(made, issuer, draft.extensions) && X509_sign(made, signer, EVP_sha256()) > 0;
  CertifiedKey result;
  if (ok) result = {.certificate_pem = pki::ToPem(made), .key_pem = pki::ToPem(key.get())};
  if (result.certificate_pem.empty() || result.key_pem.empty())
    return pki::OpensslError("can't make a certificate");
  return result;
}

}  // namespace

absl::StatusOr<CertifiedKey> MakeAuthority(const std::string& common_name, const Validity& validity) {
  if (absl::Status status = CheckNames(common_name, {}); !status.ok()) return status;
  return Make({.common_name = common_name,
               .validity = validity,
               .extensions = {{NID_basic_constraints, "critical,CA:TRUE,pathlen:0"},
                              {NID_key_usage, "critical,keyCertSign,cRLSign"},
                              {NID_subject_key_identifier, "hash"}}});
}

absl::StatusOr<CertifiedKey> IssueCertificate(const CertifiedKey& authority, LeafRequest request) {
  if (absl::Status status = CheckNames(request.common_name, request.names); !status.ok()) return status;
  if (absl::Status status = CheckKeyMatches(authority.certificate_pem, authority.key_pem); !status.ok())
    return status;
  const auto issuer = ReadCertificate(authority.certificate_pem);
  if (!issuer.ok()) return issuer.status();
  if (issuer->not_after <= request.validity.from)
    return absl::InvalidArgumentError("the authority's certificate has ended");
  request.validity.until = std::min(request.validity.until, issuer->not_after);

  std::vector<Extension> extensions = {
      {NID_basic_constraints, "critical,CA:FALSE"},
      {NID_key_usage, "critical,digitalSignature"},
      {NID_ext_key_usage, request.serves ? "serverAuth,clientAuth" : "clientAuth"},
      {NID_subject_key_identifier, "hash"},
      {NID_authority_key_identifier, "keyid:always"}};
  if (const std::string names = InWords(request.names); !names.empty())
    extensions.push_back({NID_subject_alt_name, names});
  const pki::X509Ptr certificate = pki::CertificateFrom(authority.certificate_pem);
  const pki::KeyPtr key = pki::KeyFrom(authority.key_pem);
  return Make({.common_name = request.common_name,
               .validity = request.validity,
               .extensions = std::move(extensions),
               .issuer = certificate.get(),
               .issuer_key = key.get()});
}

}  // namespace perigee
