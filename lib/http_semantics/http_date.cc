#include "lib/http_semantics/http_date.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <chrono>

#include "lib/base/parse.h"
#include "lib/http_semantics/headers.h"

namespace perigee::http {
namespace {

using std::chrono::days;
using std::chrono::floor;
using std::chrono::sys_days;
using std::chrono::sys_seconds;
using std::chrono::year;

constexpr sys_seconds kEarliest = sys_days(year(1900) / 1 / 1);
constexpr sys_seconds kLatest = sys_days(year(2190) / 1 / 1);
static_assert(kLatest - kEarliest < WallTime::duration::max());

constexpr std::array<std::string_view, 12> kMonths = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                                      "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
constexpr std::array<std::string_view, 7> kWeekdays = {"Sunday",   "Monday", "Tuesday", "Wednesday",
                                                       "Thursday", "Friday", "Saturday"};
constexpr size_t kShortName = 3;

// Takes a date apart from left to right; after the first piece that does not fit, ok() is false for good.
class DateReader {
 public:
  explicit DateReader(std::string_view text) : rest_(text) {}

  bool ok() const { return ok_; }
  bool at_end() const { return ok_ && rest_.empty(); }

  void Expect(std::string_view text) {
    if (!EqualsIgnoreCase(rest_.substr(0, text.size()), text)) return Fail();
    rest_.remove_prefix(text.size());
  }

  unsigned Number(size_t digits) {
    const auto value = ParseNumber<unsigned>(rest_.substr(0, digits));
    if (rest_.size() < digits || !value) return Fail(), 0;
    rest_.remove_prefix(digits);
    return *value;
  }

  // The day of an asctime date, " 6" or "16".
  unsigned SpacePaddedDay() {
    if (!rest_.starts_with(' ')) return Number(2);
    rest_.remove_prefix(1);
    return Number(1);
  }

  unsigned Month() {
    for (unsigned i = 0; i < kMonths.size(); ++i) {
      if (!EqualsIgnoreCase(rest_.substr(0, kShortName), kMonths[i])) continue;
      rest_.remove_prefix(kShortName);
      return i + 1;
    }
    return Fail(), 0;
  }

  // Any weekday, for it adds nothing to the date; whether it was written in full.
  bool Weekday() {
    for (const std::string_view name : kWeekdays) {
      for (const size_t length : {name.size(), kShortName}) {
        if (!EqualsIgnoreCase(rest_.substr(0, length), name.substr(0, length))) continue;
        rest_.remove_prefix(length);
        return length == name.size();
      }
    }
    return Fail(), false;
  }

  std::chrono::seconds TimeOfDay() {
    const unsigned hour = Number(2);
    Expect(":");
    const unsigned minute = Number(2);
    Expect(":");
    const unsigned second = Number(2);
    if (hour > 23 || minute > 59 || second > 60) Fail();
    return std::chrono::hours(hour) + std::chrono::minutes(minute) + std::chrono::seconds(second);
  }

  bool StartsWith(std::string_view text) const { return rest_.starts_with(text); }
  void Fail() { ok_ = false; }

 private:
  std::string_view rest_;
  bool ok_ = true;
};

int FullYear(unsigned two_digits, WallTime now) {
  const int this_year = static_cast<int>(std::chrono::year_month_day(floor<days>(now)).year());
  const int full = this_year / 100 * 100 + static_cast<int>(two_digits);
  return full > this_year + 50 ? full - 100 : full;
}

}  // namespace

std::optional<WallTime> ParseHttpDate(std::string_view text, WallTime now) {
  DateReader in(Trim(text));
  const bool full_weekday = in.Weekday();
  const bool asctime = in.StartsWith(" ");
  unsigned day = 0;
  unsigned month = 0;
  int full_year = 0;
  std::chrono::seconds time{0};
  if (asctime) {  // Sun Nov  6 08:49:37 1994
    in.Expect(" "), month = in.Month();
    in.Expect(" "), day = in.SpacePaddedDay();
    in.Expect(" "), time = in.TimeOfDay();
    in.Expect(" "), full_year = static_cast<int>(in.Number(4));
  } else {  // Sun, 06 Nov 1994 08:49:37 GMT, or Sunday, 06-Nov-94 08:49:37 GMT
    const std::string_view separator = full_weekday ? "-" : " ";
    in.Expect(", "), day = in.Number(2);
    in.Expect(separator), month = in.Month();
    in.Expect(separator);
    full_year = full_weekday ? FullYear(in.Number(2), now) : static_cast<int>(in.Number(4));
    in.Expect(" "), time = in.TimeOfDay();
    in.Expect(" GMT");
  }
  const std::chrono::year_month_day date{year(full_year), std::chrono::month(month), std::chrono::day(day)};
  if (!in.at_end() || !date.ok()) return std::nullopt;
  return std::clamp(sys_days(date) + time, kEarliest, kLatest);
}

std::string FormatHttpDate(WallTime time) {
  const auto day = floor<days>(time);
  const std::chrono::year_month_day date(day);
  const std::chrono::hh_mm_ss clock(floor<std::chrono::seconds>(time - day));
  return fmt::format("{}, {:02} {} {:04} {:02}:{:02}:{:02} GMT",
                     kWeekdays[std::chrono::weekday(day).c_encoding()].substr(0, kShortName),
                     static_cast<unsigned>(date.day()), kMonths[static_cast<unsigned>(date.month()) - 1],
                     static_cast<int>(date.year()), clock.hours().count(), clock.minutes().count(),
                     clock.seconds().count());
}

}  // namespace perigee::http
