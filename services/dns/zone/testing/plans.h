// Zones from text, and plans as text, for tests.
#pragma once

#include <initializer_list>
#include <string>
#include <string_view>

#include "services/dns/zone/answer_plan.h"
#include "services/dns/zone/zone_set.h"

namespace perigee::dns::testing {

Name N(std::string_view text);

// The zone that the master file's text makes; the test fails otherwise.
Zone ZoneOf(std::string_view apex, std::string_view text, std::initializer_list<const char*> steered = {});

// The plan in short: "NOERROR", "NXDOMAIN aa" …, then " an: owner TYPE data" for each record, "au:", "ad:"
// (and "gl:" for glue), and "steered: owner". SOA has no data here. TTLs stand behind a "/" when they are not
// 3600.
std::string Ask(const ZoneSet& zones, std::string_view name, RrType type, RrClass rr_class = RrClass::kIn);

}  // namespace perigee::dns::testing
