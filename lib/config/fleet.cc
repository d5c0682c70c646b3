#include "lib/config/fleet.h"

#include <google/protobuf/text_format.h>

#include <cerrno>
#include <cstring>
#include <fstream>

#include "fmt/format.h"
#include "google/protobuf/io/zero_copy_stream_impl_lite.h"
#include "lib/config/fleet_defaults.h"
#include "lib/config/fleet_rules.h"
#include "lib/config/located.h"

namespace perigee {
namespace {

constexpr size_t kMaxFileBytes = 1 << 20;

}  // namespace

absl::StatusOr<v1::FleetConfig> ParseFleet(std::string_view text, std::string_view file_name) {
  FirstError errors(file_name);
  google::protobuf::TextFormat::ParseInfoTree locations;
  google::protobuf::TextFormat::Parser parser;
  parser.RecordErrorsTo(&errors);
  parser.WriteLocationsTo(&locations);
  v1::FleetConfig fleet;
  google::protobuf::io::ArrayInputStream input(text.data(), static_cast<int>(text.size()));
  if (parser.Parse(&input, &fleet)) {
    FillDefaults(&fleet);
    CheckFleet(fleet, Located(fleet, &locations, &errors));
  }
  if (absl::Status status = errors.status(); !status.ok()) return status;
  return fleet;
}

absl::StatusOr<v1::FleetConfig> LoadFleetFile(const std::string& path) {
  std::ifstream file(path);
  if (!file && errno == ENOENT)
    return absl::NotFoundError(fmt::format("no fleet file \"{}\"; give one with --config", path));
  if (!file)
    return absl::NotFoundError(
        fmt::format("the fleet file \"{}\" can't be read: {}", path, std::strerror(errno)));
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
