// libFuzzer target: any text is a zone whose every name can be asked for, or an error that names its place.
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "services/dns/zone/answer_plan.h"
#include "services/dns/zone/zone_file.h"
#include "services/dns/zone/zone_set.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace perigee::dns;  // NOLINT: a file of one function
  static const Name apex = Name::Parse("example").value();
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const std::string head = "$TTL 60\n@ SOA n h 1 2 3 4 5\n@ NS ns.else.\n";
  for (const std::string& whole : {std::string(text), head + std::string(text)}) {
    auto zone = ReadZone(whole, "f", apex, {}, [](const std::string&) -> absl::StatusOr<std::string> {
      return std::string("included A 192.0.2.1\n");
    });
    if (!zone.ok()) {
      if (zone.status().message().empty()) std::abort();
      continue;
    }
    std::vector<Zone> zones;
    zones.push_back(*std::move(zone));
    const ZoneSet set = MakeZoneSet(std::move(zones), {}).value();
    AnswerPlan plan;
    for (const Node& node : set.zones()[0].nodes()) {
      for (const uint16_t type : {1, 2, 5, 15, 39, 65, 255}) {
        PlanAnswer(set, node.name, static_cast<RrType>(type), RrClass::kIn, &plan);
        if (plan.kind() == PlanKind::kRefused || plan.kind() == PlanKind::kNameError) continue;
        if (plan.sets().empty()) std::abort();
      }
    }
  }
  return 0;
}
