#include "services/dns/zone/zone_config.h"

#include <filesystem>
#include <utility>

#include "fmt/format.h"
#include "services/dns/zone/rdata_text.h"
#include "services/dns/zone/synthetic.h"
#include "services/dns/zone/zone_file.h"

namespace perigee::dns {
namespace {

struct Wanted {
  Name apex;
  std::string file;  // empty: made
  std::vector<Name> steered;
  std::string field;  // of the fleet file
};

absl::Status In(std::string_view field, const absl::Status& status) {
  return {status.code(), fmt::format("{}: {}", field, std::string(status.message()))};
}

absl::StatusOr<Wanted> Read(const v1::ZoneConfig& config, std::string field, const std::string& folder) {
  const auto apex = Name::Parse(config.name());
  if (!apex.ok()) return In(field + ".name", apex.status());
  Wanted wanted{*apex, "", {}, std::move(field)};
  if (!config.file().empty()) wanted.file = (std::filesystem::path(folder) / config.file()).string();
  for (int i = 0; i < config.steered_size(); ++i) {
    const auto name = ParseRelativeName(config.steered(i), *apex);
    if (!name.ok()) return In(fmt::format("{}.steered[{}]", wanted.field, i), name.status());
    if (!name->view().IsWithin(*apex)) {
      return absl::InvalidArgumentError(fmt::format(
          "{}.steered[{}]: {} is not within the zone {}: leave out the final dot, or move it to its zone",
          wanted.field, i, name->view().ToText(), apex->view().ToText()));
    }
    wanted.steered.push_back(*name);
  }
  return wanted;
}

absl::StatusOr<std::vector<Wanted>> ReadAll(const v1::FleetConfig& fleet, const std::string& folder) {
  std::vector<Wanted> all;
  for (int i = 0; i < fleet.zone_size(); ++i) {
    auto wanted = Read(fleet.zone(i), fmt::format("zone[{}]", i), folder);
    if (!wanted.ok()) return wanted.status();
    for (const Wanted& other : all) {
      if (other.apex == wanted->apex) {
        return absl::InvalidArgumentError(fmt::format("{}.name: {} is the name of {} too: remove one",
                                                      wanted->field, other.apex.view().ToText(),
                                                      other.field));
      }
    }
    all.push_back(*std::move(wanted));
  }
  return all;
}

// The deepest zone that holds it; null when none does.
Wanted* HolderOf(NameView name, std::vector<Wanted>* all) {
  Wanted* holder = nullptr;
  for (Wanted& wanted : *all) {
    if (!name.IsWithin(wanted.apex)) continue;
    if (holder == nullptr || wanted.apex.view().size() > holder->apex.view().size()) holder = &wanted;
  }
  return holder;
}

// `domain` is steered in the zone that holds it, or in one of its own.
absl::Status PlaceDomain(const v1::FleetConfig& fleet, std::vector<Wanted>* all) {
  const auto domain = Name::Parse(fleet.domain());
  if (!domain.ok()) return In("domain", domain.status());
  Wanted* holder = HolderOf(*domain, all);
  if (holder == nullptr) holder = &all->emplace_back(Wanted{*domain, "", {}, "domain"});
  holder->steered.push_back(*domain);
  return absl::OkStatus();
}

absl::Status PlaceBeacons(const v1::FleetConfig& fleet, std::vector<Wanted>* all) {
  const std::string& beacon = fleet.steering().beacon();
  if (beacon.empty()) return absl::OkStatus();
  const auto names = Name::Parse("*." + beacon);
  if (!names.ok()) return In("steering.beacon", names.status());
  Wanted* holder = HolderOf(*names, all);
  if (holder == nullptr) {
    return absl::InvalidArgumentError(
        fmt::format("steering.beacon: {} is in no zone that is served", beacon));
  }
  holder->steered.push_back(*names);
  return absl::OkStatus();
}

absl::StatusOr<Zone> Load(const Wanted& wanted, const ZoneLoadOptions& options) {
  auto zone = wanted.file.empty() ? MakeSyntheticZone({.domain = wanted.apex.view().ToText(),
                                                       .steer_apex = false,
                                                       .steered = wanted.steered,
                                                       .name_server = options.name_server,
                                                       .server_addresses = options.server_addresses,
                                                       .start_time = options.start_time})
                                  : LoadZoneFile(wanted.file, wanted.apex, wanted.steered);
  if (!zone.ok()) return In(wanted.field, zone.status());
  return zone;
}

}  // namespace

absl::StatusOr<ZoneSet> LoadZones(const v1::FleetConfig& fleet, const ZoneLoadOptions& options) {
  auto wanted = ReadAll(fleet, options.folder);
  if (!wanted.ok()) return wanted.status();
  if (const absl::Status status = PlaceDomain(fleet, &*wanted); !status.ok()) return status;
  if (const absl::Status status = PlaceBeacons(fleet, &*wanted); !status.ok()) return status;
  std::vector<Zone> zones;
  for (const Wanted& one : *wanted) {
    auto zone = Load(one, options);
    if (!zone.ok()) return zone.status();
    zones.push_back(*std::move(zone));
  }
  return MakeZoneSet(std::move(zones), {fleet.dns().version(), fleet.dns().identity()});
}

}  // namespace perigee::dns
