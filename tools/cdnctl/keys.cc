#include "tools/cdnctl/keys.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <system_error>
#include <utility>

#include "fmt/format.h"
#include "google/protobuf/util/time_util.h"
#include "lib/base/read_file.h"
#include "tools/cdnctl/table.h"

namespace perigee::cdnctl {
namespace {

namespace fs = std::filesystem;
using google::protobuf::util::TimeUtil;
using std::chrono::days;

constexpr char kAuthority[] = "ca";
constexpr char kAuthorityName[] = "Perigee CA";
constexpr size_t kMaxPemBytes = 1 << 20;
constexpr size_t kMaxName = 64;  // of a certificate's common name
constexpr std::chrono::hours kClockSlack{1};
// When the table shows red, and yellow.
constexpr days kUrgent{14};
constexpr days kSoon{60};

absl::Status FileError(const fs::path& file, int error) {
  return absl::UnavailableError(
      fmt::format("can't write {}: {}", file.string(), std::generic_category().message(error)));
}

bool WriteAll(int fd, std::string_view text) {
  while (!text.empty()) {
    const ssize_t written = ::write(fd, text.data(), text.size());
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) return false;
    text.remove_prefix(static_cast<size_t>(written));
  }
  return ::fsync(fd) == 0;
}

// Whole or not at all.
absl::Status WriteFile(const fs::path& file, std::string_view text, mode_t mode) {
  const std::string fresh = file.string() + ".new";
  ::unlink(fresh.c_str());  // of a run that was interrupted
  const int fd = ::open(fresh.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
  if (fd < 0) return FileError(file, errno);
  const bool written = WriteAll(fd, text);
  const int error = errno;
  if (::close(fd) == 0 && written && ::rename(fresh.c_str(), file.c_str()) == 0) return absl::OkStatus();
  ::unlink(fresh.c_str());
  return FileError(file, written ? errno : error);
}

absl::Status MakeFolder(const fs::path& folder) {
  std::error_code error;
  if (folder.has_parent_path()) fs::create_directories(folder.parent_path(), error);
  if (error) return FileError(folder, error.value());
  if (::mkdir(folder.c_str(), 0700) != 0 && errno != EEXIST) return FileError(folder, errno);
  return absl::OkStatus();
}

bool Exists(const fs::path& file) {
  std::error_code ignored;
  return fs::exists(file, ignored);
}

absl::StatusOr<CertifiedKey> ReadPair(const fs::path& certificate, const fs::path& key) {
  auto certificate_pem = ReadFile(certificate, kMaxPemBytes);
  if (!certificate_pem.ok()) return certificate_pem.status();
  auto key_pem = ReadFile(key, kMaxPemBytes);
  if (!key_pem.ok()) return key_pem.status();
  return CertifiedKey{*std::move(certificate_pem), *std::move(key_pem)};
}

// The key goes first: without its certificate it is of no use to anybody, and a reader looks again soon.
absl::Status WritePair(const CertifiedKey& pair, const fs::path& certificate, const fs::path& key) {
  if (absl::Status status = WriteFile(key, pair.key_pem, 0600); !status.ok()) return status;
  return WriteFile(certificate, pair.certificate_pem, 0644);
}

absl::Status NoAuthority(const fs::path& folder) {
  return absl::NotFoundError(
      fmt::format("{} has no authority: `cdnctl keys init` makes one", folder.string()));
}

absl::Status CheckName(const std::string& name) {
  constexpr std::string_view kAllowed = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.";
  if (!name.empty() && name.size() <= kMaxName && name.front() != '.' && name != kAuthority &&
      name.find_first_not_of(kAllowed) == std::string::npos) {
    return absl::OkStatus();
  }
  return absl::InvalidArgumentError(
      fmt::format("\"{}\": a name has letters, digits, -, _ and ., begins with no dot, and is not \"{}\"",
                  name, kAuthority));
}

AlternativeNames Sorted(AlternativeNames names) {
  std::sort(names.addresses.begin(), names.addresses.end());
  std::sort(names.dns_names.begin(), names.dns_names.end());
  std::sort(names.uris.begin(), names.uris.end());
  return names;
}

bool Serves(Role role) { return role == Role::kReplica || role == Role::kDirector; }

v1::Key Describe(const std::string& name, const Certificate& certificate, std::string_view done) {
  v1::Key key;
  key.set_name(name);
  key.set_role(certificate.is_authority ? "authority" : std::string(Word(RoleOf(certificate.names.uris))));
  for (const IpAddress& address : certificate.names.addresses) key.add_addresses(address.ToString());
  for (const std::string& dns_name : certificate.names.dns_names) key.add_addresses(dns_name);
  *key.mutable_expires() =
      TimeUtil::TimeTToTimestamp(std::chrono::system_clock::to_time_t(certificate.not_after));
  key.set_done(std::string(done));
  return key;
}

WallTime Expires(const v1::Key& key) { return WallTime(std::chrono::seconds(key.expires().seconds())); }

// "2032-06-07".
std::string Date(const v1::Key& key) { return TimeUtil::ToString(key.expires()).substr(0, 10); }

std::string_view Colour(WallTime::duration left) {
  if (left < kUrgent) return "\x1b[31m";
  return left < kSoon ? "\x1b[33m" : "";
}

// Those that others call it by.
std::string Addresses(const v1::Key& key) {
  std::string text;
  for (const std::string& address : key.addresses()) {
    const auto ip = IpAddress::Parse(address);
    if (!ip.ok() || !ip->is_loopback()) text += (text.empty() ? "" : ",") + address;
  }
  return text.empty() ? "-" : text;
}

}  // namespace

struct KeyFolder::Held {
  CertifiedKey pem;
  Certificate certificate;

  bool EndsWithin(std::chrono::seconds margin, WallTime now) const {
    return certificate.not_after - now < margin;
  }
};

absl::StatusOr<v1::Key> KeyFolder::Init(days life, bool force) const {
  const fs::path certificate = path_ / "ca.pem", key = path_ / "ca.key";
  if (!force && (Exists(certificate) || Exists(key))) {
    return absl::AlreadyExistsError(
        fmt::format("{} holds an authority; --force replaces it, and nothing that it signed counts any more",
                    path_.string()));
  }
  if (absl::Status status = MakeFolder(path_); !status.ok()) return status;
  const auto made = MakeAuthority(kAuthorityName, {now_ - kClockSlack, now_ + life});
  if (!made.ok()) return made.status();
  if (absl::Status status = WritePair(*made, certificate, key); !status.ok()) return status;
  return Describe(kAuthority, *ReadCertificate(made->certificate_pem), "made");
}

absl::StatusOr<CertifiedKey> KeyFolder::Authority() const {
  auto pair = ReadPair(path_ / "ca.pem", path_ / "ca.key");
  if (absl::IsNotFound(pair.status())) return NoAuthority(path_);
  return pair;
}

absl::StatusOr<KeyFolder::Held> KeyFolder::Read(const std::string& name) const {
  if (absl::Status status = CheckName(name); !status.ok()) return status;
  const fs::path own = path_ / name;
  auto pair = ReadPair(own / "cert.pem", own / "key.pem");
  if (!pair.ok()) return pair.status();
  auto certificate = ReadCertificate(pair->certificate_pem);
  if (!certificate.ok()) {
    const std::string why(certificate.status().message());
    return absl::InvalidArgumentError(fmt::format("{}: {}", (own / "cert.pem").string(), why));
  }
  return Held{*std::move(pair), *std::move(certificate)};
}

absl::StatusOr<v1::Key> KeyFolder::Make(const std::string& name, const AlternativeNames& names, days life,
                                        std::string_view done) const {
  const auto authority = Authority();
  if (!authority.ok()) return authority.status();
  const auto made = IssueCertificate(*authority, {.common_name = name,
                                                  .names = names,
                                                  .validity = {now_ - kClockSlack, now_ + life},
                                                  .serves = Serves(RoleOf(names.uris))});
  if (!made.ok()) return made.status();
  const fs::path own = path_ / name;
  if (absl::Status status = MakeFolder(own); !status.ok()) return status;
  if (absl::Status status = WriteFile(own / "ca.pem", authority->certificate_pem, 0644); !status.ok())
    return status;
  if (absl::Status status = WritePair(*made, own / "cert.pem", own / "key.pem"); !status.ok()) return status;
  return Describe(name, *ReadCertificate(made->certificate_pem), done);
}

absl::StatusOr<v1::Key> KeyFolder::Issue(const Wanted& wanted, days life, bool force) const {
  if (absl::Status status = CheckName(wanted.name); !status.ok()) return status;
  AlternativeNames names{
      .addresses = wanted.addresses, .dns_names = wanted.dns_names, .uris = {UriOf(wanted.role)}};
  if (Serves(wanted.role)) {
    if (names.addresses.empty() && names.dns_names.empty()) {
      return absl::InvalidArgumentError(fmt::format(
          "a {} is called at its addresses, and its certificate must say them: --address or --dns",
          Word(wanted.role)));
    }
    for (const std::string_view loopback : {"127.0.0.1", "::1"})
      names.addresses.push_back(*IpAddress::Parse(loopback));
  }
  const auto authority = Authority();
  if (!authority.ok()) return authority.status();
  const auto held = Read(wanted.name);
  if (held.ok() && Sorted(held->certificate.names) == Sorted(names) && !held->EndsWithin({}, now_) &&
      IsSignedBy(held->pem.certificate_pem, authority->certificate_pem) &&
      CheckKeyMatches(held->pem.certificate_pem, held->pem.key_pem).ok()) {
    return Describe(wanted.name, held->certificate, "kept");
  }
  if (!force && !absl::IsNotFound(held.status())) {
    return absl::FailedPreconditionError(
        fmt::format("{} holds a certificate that says something else, has ended, or is another authority's: "
                    "--force replaces it",
                    (path_ / wanted.name).string()));
  }
  return Make(wanted.name, names, life, "made");
}

absl::StatusOr<v1::KeysReport> KeyFolder::Renew(const std::vector<std::string>& names, days margin,
                                                days life) const {
  const auto authority = Authority();
  if (!authority.ok()) return authority.status();
  v1::KeysReport report;
  for (const std::string& name : names.empty() ? Names() : names) {
    const auto held = Read(name);
    if (!held.ok()) return held.status();
    const bool due = !names.empty() || held->EndsWithin(margin, now_) ||
                     !IsSignedBy(held->pem.certificate_pem, authority->certificate_pem);
    if (!due) {
      *report.add_keys() = Describe(name, held->certificate, "kept");
      continue;
    }
    if (RoleOf(held->certificate.names.uris) == Role::kNone) {
      return absl::FailedPreconditionError(fmt::format(
          "{}'s certificate says no role: `cdnctl keys issue {} --force --role …` makes one that does", name,
          name));
    }
    auto made = Make(name, held->certificate.names, life, "renewed");
    if (!made.ok()) return made.status();
    *report.add_keys() = *std::move(made);
  }
  return report;
}

std::vector<std::string> KeyFolder::Names() const {
  std::vector<std::string> names;
  std::error_code ignored;
  for (const auto& entry : fs::directory_iterator(path_, ignored))
    if (Exists(entry.path() / "cert.pem")) names.push_back(entry.path().filename());
  std::sort(names.begin(), names.end());
  return names;
}

absl::StatusOr<v1::KeysReport> KeyFolder::Show() const {
  v1::KeysReport report;
  const auto authority = ReadFile(path_ / "ca.pem", kMaxPemBytes);  // its key may lie elsewhere
  if (absl::IsNotFound(authority.status())) return NoAuthority(path_);
  if (!authority.ok()) return authority.status();
  const auto certificate = ReadCertificate(*authority);
  if (!certificate.ok()) return certificate.status();
  *report.add_keys() = Describe(kAuthority, *certificate, "");
  for (const std::string& name : Names()) {
    const auto held = Read(name);
    if (!held.ok()) return held.status();
    *report.add_keys() = Describe(name, held->certificate, "");
  }
  return report;
}

std::string KeysTable(const v1::KeysReport& report, WallTime now, bool coloured) {
  std::vector<std::vector<std::string>> rows = {{"NAME", "ROLE", "ADDRESSES", "EXPIRES", "DAYS"}};
  for (const v1::Key& key : report.keys()) {
    const auto left = std::chrono::floor<days>(Expires(key) - now);
    rows.push_back({key.name(), key.role(), Addresses(key), Date(key), fmt::to_string(left.count())});
  }
  std::string table =
      FormatTable({Align::kLeft, Align::kLeft, Align::kLeft, Align::kLeft, Align::kRight}, rows);
  if (!coloured) return table;
  size_t from = table.find('\n') + 1;
  std::string text = table.substr(0, from);
  for (const v1::Key& key : report.keys()) {
    const size_t end = table.find('\n', from);
    const std::string_view colour = Colour(Expires(key) - now);
    text += fmt::format("{}{}{}\n", colour, table.substr(from, end - from), colour.empty() ? "" : "\x1b[0m");
    from = end + 1;
  }
  return text;
}

std::string KeyText(const v1::Key& key, const fs::path& folder) {
  const bool authority = key.name() == kAuthority;
  return fmt::format("{} ({}): {}, until {}; {}\n", key.name(), key.role(), key.done(), Date(key),
                     authority
                         ? fmt::format("keep {} safe, and to yourself", (folder / "ca.key").string())
                         : fmt::format("{} is what its holder is given", (folder / key.name()).string()));
}

}  // namespace perigee::cdnctl
