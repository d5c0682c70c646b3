#include "tools/cdnctl/table.h"

#include <algorithm>

#include "fmt/format.h"

namespace perigee::cdnctl {

std::string FormatTable(const std::vector<Align>& align, const std::vector<std::vector<std::string>>& rows) {
  std::vector<size_t> width(align.size());
  for (const auto& row : rows) {
    for (size_t i = 0; i < width.size(); ++i) width[i] = std::max(width[i], row[i].size());
  }
  std::string text;
  for (const auto& row : rows) {
    std::string line;
    for (size_t i = 0; i < width.size(); ++i) {
      line += align[i] == Align::kLeft ? fmt::format("{:<{}}  ", row[i], width[i])
                                       : fmt::format("{:>{}}  ", row[i], width[i]);
    }
    line.erase(line.find_last_not_of(' ') + 1);
    text += line + "\n";
  }
  return text;
}

std::string Percent(uint64_t part, uint64_t whole) {
  if (whole == 0) return "-";
  return fmt::format("{:.1f}", 100.0 * static_cast<double>(part) / static_cast<double>(whole));
}

}  // namespace perigee::cdnctl
