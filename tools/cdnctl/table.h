// Text in columns that line up.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace perigee::cdnctl {

enum class Align { kLeft, kRight };

// The first row is the header. Every row has as many cells as `align`. Columns are two spaces apart.
std::string FormatTable(const std::vector<Align>& align, const std::vector<std::vector<std::string>>& rows);

// "75.0"; "-" of nothing.
std::string Percent(uint64_t part, uint64_t whole);

}  // namespace perigee::cdnctl
