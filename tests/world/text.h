// Lines, words and fields. The parts are views into the text. Pure.
#pragma once

#include <string_view>
#include <vector>

namespace perigee::world {

// "a,b," at ',' is "a" and "b": a separator ends a part, as a line end does.
std::vector<std::string_view> Split(std::string_view text, char separator);

// What stands between blanks, tabs and carriage returns.
std::vector<std::string_view> Words(std::string_view text);

}  // namespace perigee::world
