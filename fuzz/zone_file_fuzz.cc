// libFuzzer target: any text is a zone whose every name can be asked for, or an error that names its place.
#include <algorithm>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "fuzz/check.h"
#include "lib/base/parse.h"
#include "services/dns/zone/answer_plan.h"
#include "services/dns/zone/zone_file.h"
#include "services/dns/zone/zone_set.h"

namespace perigee::dns {
namespace {

constexpr std::string_view kHead = "$TTL 60\n@ SOA n h 1 2 3 4 5\n@ NS ns.else.\n";  // of texts without a SOA

absl::StatusOr<std::string> Included(const std::string& path) {
  if (path == "missing") return absl::NotFoundError("missing: cannot be read");
  if (path == "loop") return std::string("$INCLUDE loop\n");
  return std::string("included A 192.0.2.1\n");
}

void AskForEveryName(Zone zone) {
  std::vector<Zone> zones;
  zones.push_back(std::move(zone));
  const absl::StatusOr<ZoneSet> set = MakeZoneSet(std::move(zones), {});
  fuzz::Check(set.ok());
  AnswerPlan plan;
  for (const Node& node : set->zones()[0].nodes()) {
    for (const uint16_t type : {1, 2, 5, 15, 39, 65, 255}) {
      PlanAnswer(*set, node.name, static_cast<RrType>(type), RrClass::kIn, &plan);
      if (plan.kind() == PlanKind::kRefused || plan.kind() == PlanKind::kNameError) continue;
      fuzz::Check(!plan.sets().empty());
    }
  }
}

constexpr std::string_view kFile = "zone\1";  // no $INCLUDE can name it
// "zone:7: why", where the text has a line 7; else an included file, or the zone as a whole.
void CheckError(std::string_view message, std::string_view text) {
  fuzz::Check(message.find(": ") != std::string_view::npos);
  if (!message.starts_with(kFile)) return;
  message.remove_prefix(kFile.size() + 1);
  const auto line = ParseNumber<size_t>(message.substr(0, message.find(": ")));
  fuzz::Check(line && *line >= 1 && *line <= 1 + static_cast<size_t>(std::ranges::count(text, '\n')));
}

}  // namespace
}  // namespace perigee::dns

// ldns (1.8.3) leaks a few octets of some records that it refuses, CERT 0 for one. Leaks of ours are still
// told.
extern "C" const char*
__lsan_default_suppressions() {  // NOLINT(bugprone-reserved-identifier): the sanitizer's
  return "leak:libldns.so";
}
extern "C" const char* __lsan_default_options() {  // NOLINT(bugprone-reserved-identifier): the sanitizer's
  return "print_suppressions=0";
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace perigee::dns;  // NOLINT: a file of one function
  static const Name apex = Name::Parse("example").value();
  std::string text(reinterpret_cast<const char*>(data), size);
  if (text.find("SOA") == std::string::npos) text.insert(0, kHead);
  auto zone = ReadZone(text, kFile, apex, {}, Included);
  if (zone.ok()) {
    AskForEveryName(*std::move(zone));
  } else {
    CheckError({zone.status().message().data(), zone.status().message().size()}, text);
  }
  return 0;
}
