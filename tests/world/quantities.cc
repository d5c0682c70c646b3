#include "tests/world/quantities.h"

#include <array>
#include <utility>

#include "fmt/format.h"
#include "lib/base/parse.h"
#include "tests/world/world_description.h"

namespace perigee::world {
namespace {

constexpr size_t kDecimals = 3;
constexpr uint64_t kThousandth = 1000;  // 10^kDecimals
constexpr uint64_t kMaxWhole = 1'000'000'000;

// "12.5" is 12500: fixed point, so that no figure of a table changes on its way through a double.
std::optional<uint64_t> ParseThousandths(std::string_view text) {
  const size_t point = text.find('.');
  const auto whole = ParseNumber<uint64_t>(text.substr(0, point));
  if (!whole || *whole > kMaxWhole) return std::nullopt;
  if (point == std::string_view::npos) return *whole * kThousandth;
  std::string fraction(text.substr(point + 1));
  if (fraction.empty() || fraction.size() > kDecimals) return std::nullopt;
  fraction.resize(kDecimals, '0');
  const auto thousandths = ParseNumber<uint64_t>(fraction);
  if (!thousandths) return std::nullopt;
  return *whole * kThousandth + *thousandths;
}

bool TakeSuffix(std::string_view& text, std::string_view suffix) {
  if (!text.ends_with(suffix)) return false;
  text.remove_suffix(suffix.size());
  return true;
}

constexpr std::array<std::pair<std::string_view, uint64_t>, 3> kRateUnits = {
    {{"kbit", 1'000}, {"mbit", 1'000'000}, {"gbit", 1'000'000'000}}};

}  // namespace

std::optional<std::chrono::microseconds> ParseMilliseconds(std::string_view text) {
  TakeSuffix(text, "ms");
  const auto us = ParseThousandths(text);
  if (!us || std::chrono::microseconds(*us) > kMaxRtt) return std::nullopt;
  return std::chrono::microseconds(*us);
}

std::optional<double> ParsePercent(std::string_view text) {
  if (!TakeSuffix(text, "%")) return std::nullopt;
  const auto thousandths = ParseThousandths(text);
  if (!thousandths || *thousandths > 100 * kThousandth) return std::nullopt;
  return static_cast<double>(*thousandths) / (100 * kThousandth);
}

std::optional<uint64_t> ParseRate(std::string_view text) {
  if (text == "unlimited") return 0;
  for (const auto& [suffix, unit] : kRateUnits) {
    if (!TakeSuffix(text, suffix)) continue;
    const auto thousandths = ParseThousandths(text);
    if (!thousandths) return std::nullopt;
    const uint64_t bps = *thousandths * (unit / kThousandth);
    if (bps < kMinRateBps || bps > kMaxRateBps) return std::nullopt;
    return bps;
  }
  return std::nullopt;
}

std::optional<uint8_t> ParseRouters(std::string_view text) {
  const auto routers = ParseNumber<uint8_t>(text);
  return routers && *routers <= kMaxRouters ? routers : std::nullopt;
}

std::string FormatMilliseconds(std::chrono::microseconds value) {
  return fmt::format("{:g}", static_cast<double>(value.count()) / kThousandth);
}

std::string FormatPercent(double share) { return fmt::format("{:g}%", share * 100); }

std::string FormatRate(uint64_t bps) {
  if (bps == 0) return "unlimited";
  for (auto unit = kRateUnits.rbegin(); unit != kRateUnits.rend(); ++unit) {
    if (bps >= unit->second)
      return fmt::format("{:g}{}", static_cast<double>(bps) / static_cast<double>(unit->second), unit->first);
  }
  return fmt::format("{:g}kbit", static_cast<double>(bps) / static_cast<double>(kRateUnits[0].second));
}

}  // namespace perigee::world
