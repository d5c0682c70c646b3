// HTTP dates (RFC 9110 §5.6.7): whole seconds, always GMT.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "lib/base/clock.h"

namespace perigee::http {

// IMF-fixdate, RFC 850 and asctime forms; nothing when the text is none of them or no real date. A two-digit
// year that would be more than 50 years after `now` is taken as the past century's. What is before 1900 or
// after 2190 becomes that year (RFC 9111 §4.2 asks it of Expires), so that the difference of any two dates is
// a WallTime::duration.
std::optional<WallTime> ParseHttpDate(std::string_view text, WallTime now);

// "Sun, 06 Nov 1994 08:49:37 GMT".
std::string FormatHttpDate(WallTime time);

}  // namespace perigee::http
