// Text in columns that line up.
#pragma once

#include <string>
#include <vector>

namespace perigee::cdnctl {

enum class Align { kLeft, kRight };

// The first row is the header. Every row has as many cells as `align`. Columns are two spaces apart.
std::string FormatTable(const std::vector<Align>& align, const std::vector<std::vector<std::string>>& rows);

}  // namespace perigee::cdnctl
