// The pieces of a log line in JSON. Pure. Whatever octets a text holds, what is appended is ASCII, without a
// control character: nobody can forge a line of the log.
#pragma once

#include <string>
#include <string_view>

#include "lib/base/clock.h"

namespace perigee {

// "text", in quotes; an octet that is no printable ASCII becomes \u00xx.
void AppendJsonString(std::string_view text, std::string* out);

// ,"key":"text" — for every field but a line's first. `key` is taken as it is.
void AppendJsonField(std::string_view key, std::string_view text, std::string* out);

// 2026-11-24T18:00:00.123Z
void AppendIsoTime(WallTime time, std::string* out);

}  // namespace perigee
