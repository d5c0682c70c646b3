#include "lib/config/fleet.h"

#include <google/protobuf/text_format.h>

#include <fstream>
#include <iterator>
#include <optional>
#include <set>

#include "fmt/format.h"
#include "google/protobuf/io/tokenizer.h"
#include "google/protobuf/io/zero_copy_stream_impl_lite.h"
#include "lib/base/address.h"

namespace perigee {
namespace {

using google::protobuf::Message;
using google::protobuf::TextFormat;

constexpr int kMaxReplicas = 64;
constexpr size_t kMaxDomainLength = 253;
constexpr size_t kMaxFileBytes = 1 << 20;

constexpr uint32_t kDefaultHttpPort = 80;
constexpr uint32_t kDefaultProberPort = 4301;
constexpr uint32_t kDefaultControlPort = 4302;

// Keeps the parser's first complaint as "file:line:column: message".
class FirstError final : public google::protobuf::io::ErrorCollector {
 public:
  explicit FirstError(std::string_view file) : file_(file) {}

  void AddError(int line, int column, const std::string& message) override { Add(line, column, message); }
  void AddWarning(int line, int column, const std::string& message) override { Add(line, column, message); }

  void Add(int line, int column, std::string_view message) {
    if (!text_) text_ = fmt::format("{}:{}:{}: {}", file_, line + 1, column + 1, message);
  }
  absl::Status status() const { return text_ ? absl::InvalidArgumentError(*text_) : absl::OkStatus(); }

 private:
  std::string file_;
  std::optional<std::string> text_;
};

// One message of the file together with where its fields stand in the text.
class Located {
 public:
  Located(const Message& message, const TextFormat::ParseInfoTree* tree, FirstError* errors,
          TextFormat::ParseLocation own = {0, 0})
      : message_(message), tree_(tree), errors_(errors), own_(own) {}

  // Reports at the field's own place, or at its message's when it was not written.
  void Error(const char* field, std::string_view text, int index = -1) const {
    const auto* descriptor = message_.GetDescriptor()->FindFieldByName(field);
    TextFormat::ParseLocation at(-1, -1);
    if (tree_ != nullptr) at = tree_->GetLocation(descriptor, index);
    if (at.line < 0) at = own_;
    errors_->Add(at.line, at.column, fmt::format("{}: {}", field, text));
  }

  void RequireAtMost(const char* field, uint64_t value, uint64_t limit) const {
    if (value > limit) Error(field, fmt::format("{} is more than {}", value, limit));
  }

  Located Child(const char* field, const Message& child, int index = -1) const {
    const auto* descriptor = message_.GetDescriptor()->FindFieldByName(field);
    if (tree_ == nullptr) return Located(child, nullptr, errors_, own_);
    auto at = tree_->GetLocation(descriptor, index);
    if (at.line < 0) at = own_;
    return Located(child, tree_->GetTreeForNested(descriptor, index), errors_, at);
  }

 private:
  const Message& message_;
  const TextFormat::ParseInfoTree* tree_;
  FirstError* errors_;
  TextFormat::ParseLocation own_;
};

bool IsNameChar(char c) { return std::isalnum(static_cast<unsigned char>(c)) || c == '-' || c == '_'; }

void CheckDomain(const v1::FleetConfig& fleet, const Located& at) {
  std::string_view name = fleet.domain();
  if (name.ends_with('.')) name.remove_suffix(1);
  if (name.size() > kMaxDomainLength) return at.Error("domain", "longer than 253 characters");
  size_t label = 0;
  for (const char c : name) {
    if (c == '.' ? label == 0 : !IsNameChar(c)) return at.Error("domain", "not a domain name");
    label = c == '.' ? 0 : label + 1;
    if (label > 63) return at.Error("domain", "a label is longer than 63 characters");
  }
}

void CheckAddress(const char* field, const std::string& text, bool v4, std::set<IpAddress>* seen,
                  const Located& at) {
  if (text.empty()) return;
  const auto address = IpAddress::Parse(text);
  if (!address.ok() || address->is_v4() != v4) {
    return at.Error(field, fmt::format("\"{}\" is not an IPv{} address", text, v4 ? 4 : 6));
  }
  if (!seen->insert(*address).second) at.Error(field, fmt::format("{} is given to two replicas", text));
}

void CheckReplica(const v1::ReplicaConfig& replica, std::set<std::string>* names,
                  std::set<IpAddress>* addresses, const Located& at) {
  const std::string& name = replica.name();
  if (name.empty()) return at.Error("name", "every replica needs one");
  if (!std::all_of(name.begin(), name.end(), IsNameChar) || name.size() > 63) {
    return at.Error("name", fmt::format("\"{}\" is not 1 to 63 letters, digits, '-' or '_'", name));
  }
  if (!names->insert(name).second)
    return at.Error("name", fmt::format("two replicas are called \"{}\"", name));
  if (replica.ipv4().empty() && replica.ipv6().empty()) {
    return at.Error("ipv4", fmt::format("replica \"{}\" has neither an ipv4 nor an ipv6 address", name));
  }
  CheckAddress("ipv4", replica.ipv4(), true, addresses, at);
  CheckAddress("ipv6", replica.ipv6(), false, addresses, at);
  at.RequireAtMost("http_port", replica.http_port(), 65535);
  at.RequireAtMost("prober_port", replica.prober_port(), 65535);
  at.RequireAtMost("control_port", replica.control_port(), 65535);
  if (!(std::abs(replica.latitude()) <= 90)) at.Error("latitude", "not between -90 and 90");
  if (!(std::abs(replica.longitude()) <= 180)) at.Error("longitude", "not between -180 and 180");
}

void CheckSteering(const v1::SteeringConfig& s, const Located& at) {
  constexpr uint32_t kDayMs = 86'400'000;
  constexpr uint32_t kWeekSeconds = 604'800;
  at.RequireAtMost("hold_ms", s.hold_ms(), kDayMs);
  at.RequireAtMost("measure_deadline_ms", s.measure_deadline_ms(), 60'000);
  at.RequireAtMost("ttl_seconds", s.ttl_seconds(), kWeekSeconds);
  at.RequireAtMost("fallback_ttl_seconds", s.fallback_ttl_seconds(), kWeekSeconds);
  at.RequireAtMost("max_prefixes", s.max_prefixes(), 100'000'000);
  at.RequireAtMost("max_flights", s.max_flights(), 1'000'000);
  at.RequireAtMost("max_parked_per_flight", s.max_parked_per_flight(), 1'000'000);
  if (s.hard_age_seconds() < s.soft_age_seconds()) {
    at.Error("hard_age_seconds",
             fmt::format("{} is less than soft_age_seconds, {}", s.hard_age_seconds(), s.soft_age_seconds()));
  }
}

template <typename Prefixes>
void CheckPrefixes(const char* field, const Prefixes& prefixes, const Located& at) {
  for (int i = 0; i < prefixes.size(); ++i) {
    const auto prefix = IpPrefix::Parse(prefixes[i]);
    if (!prefix.ok()) at.Error(field, std::string(prefix.status().message()), i);
  }
}

void CheckControl(const v1::ControlConfig& c, const Located& at) {
  const int given = !c.ca_file().empty() + !c.certificate_file().empty() + !c.key_file().empty();
  if (given != 0 && given != 3) {
    at.Error("ca_file", "ca_file, certificate_file and key_file come together or not at all");
  }
}

void FillDefault(uint32_t value, uint32_t standard, auto set) {
  if (value == 0) set(standard);
}

void FillDefaults(v1::FleetConfig* fleet) {
  for (auto& r : *fleet->mutable_replica()) {
    FillDefault(r.http_port(), kDefaultHttpPort, [&](uint32_t v) { r.set_http_port(v); });
    FillDefault(r.prober_port(), kDefaultProberPort, [&](uint32_t v) { r.set_prober_port(v); });
    FillDefault(r.control_port(), kDefaultControlPort, [&](uint32_t v) { r.set_control_port(v); });
  }
  auto& s = *fleet->mutable_steering();
  FillDefault(s.hold_ms(), 400, [&](uint32_t v) { s.set_hold_ms(v); });
  FillDefault(s.measure_deadline_ms(), 3000, [&](uint32_t v) { s.set_measure_deadline_ms(v); });
  FillDefault(s.ttl_seconds(), 60, [&](uint32_t v) { s.set_ttl_seconds(v); });
  FillDefault(s.fallback_ttl_seconds(), 5, [&](uint32_t v) { s.set_fallback_ttl_seconds(v); });
  FillDefault(s.soft_age_seconds(), 3600, [&](uint32_t v) { s.set_soft_age_seconds(v); });
  FillDefault(s.hard_age_seconds(), 86'400, [&](uint32_t v) { s.set_hard_age_seconds(v); });
  FillDefault(s.max_prefixes(), 1'000'000, [&](uint32_t v) { s.set_max_prefixes(v); });
  FillDefault(s.max_flights(), 1024, [&](uint32_t v) { s.set_max_flights(v); });
  FillDefault(s.max_parked_per_flight(), 64, [&](uint32_t v) { s.set_max_parked_per_flight(v); });
  auto& p = *fleet->mutable_probe_policy();
  FillDefault(p.max_probes_per_second(), 1000, [&](uint32_t v) { p.set_max_probes_per_second(v); });
  FillDefault(p.max_probes_per_prefix_per_second(), 20,
              [&](uint32_t v) { p.set_max_probes_per_prefix_per_second(v); });
  auto& c = *fleet->mutable_cache();
  if (c.budget_bytes() == 0) c.set_budget_bytes(10'000'000);
  if (c.memory_budget_bytes() == 0) c.set_memory_budget_bytes(c.budget_bytes());
  if (c.path().empty()) c.set_path("perigee-cache.sqlite");
}

void Validate(const v1::FleetConfig& fleet, const Located& root) {
  CheckDomain(fleet, root);
  if (fleet.replica_size() > kMaxReplicas) {
    root.Error("replica", fmt::format("more than {} replicas", kMaxReplicas), kMaxReplicas);
  }
  std::set<std::string> names;
  std::set<IpAddress> addresses;
  for (int i = 0; i < fleet.replica_size(); ++i) {
    CheckReplica(fleet.replica(i), &names, &addresses, root.Child("replica", fleet.replica(i), i));
  }
  CheckSteering(fleet.steering(), root.Child("steering", fleet.steering()));
  const Located policy = root.Child("probe_policy", fleet.probe_policy());
  CheckPrefixes("allow_special", fleet.probe_policy().allow_special(), policy);
  CheckPrefixes("opt_out", fleet.probe_policy().opt_out(), policy);
  CheckControl(fleet.control(), root.Child("control", fleet.control()));
}

}  // namespace

absl::StatusOr<v1::FleetConfig> ParseFleet(std::string_view text, std::string_view file_name) {
  FirstError errors(file_name);
  TextFormat::ParseInfoTree locations;
  TextFormat::Parser parser;
  parser.RecordErrorsTo(&errors);
  parser.WriteLocationsTo(&locations);
  v1::FleetConfig fleet;
  google::protobuf::io::ArrayInputStream input(text.data(), static_cast<int>(text.size()));
  if (parser.Parse(&input, &fleet)) {
    FillDefaults(&fleet);
    Validate(fleet, Located(fleet, &locations, &errors));
  }
  if (absl::Status status = errors.status(); !status.ok()) return status;
  return fleet;
}

absl::StatusOr<v1::FleetConfig> LoadFleetFile(const std::string& path) {
  std::ifstream file(path);
  if (!file) return absl::NotFoundError(fmt::format("no fleet file \"{}\"; give one with --config", path));
  std::string text(kMaxFileBytes + 1, '\0');  // one more than allowed, and no more: the file may be endless
  file.read(text.data(), static_cast<std::streamsize>(text.size()));
  if (file.bad()) return absl::InvalidArgumentError(fmt::format("{}: can't be read", path));
  text.resize(static_cast<size_t>(file.gcount()));
  if (text.size() > kMaxFileBytes) return absl::InvalidArgumentError(fmt::format("{}: over 1 MiB", path));
  return ParseFleet(text, path);
}

v1::FleetConfig DefaultFleet() {
  v1::FleetConfig fleet;
  FillDefaults(&fleet);
  return fleet;
}

}  // namespace perigee
