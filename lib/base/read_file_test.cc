#include "lib/base/read_file.h"

#include <fstream>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace perigee {
namespace {
using ::testing::HasSubstr;

void ExpectError(const std::string& path, absl::StatusCode code) {
  const auto text = ReadFile(path, 8);
  EXPECT_EQ(text.status().code(), code);
  EXPECT_THAT(text.status().ToString(), HasSubstr(path));
}

TEST(ReadFile, TakesExactlyTheLimitAndNotOneMore) {
  const std::string path = ::testing::TempDir() + "read_file_test.limit";
  std::ofstream(path) << "12345678";
  EXPECT_EQ(ReadFile(path, 8).value_or("refused"), "12345678");
  std::ofstream(path) << "123456789";
  ExpectError(path, absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(ReadFile(path, 8).status().ToString(), HasSubstr("8 bytes"));
}

TEST(ReadFile, TakesALongFileWhole) {
  const std::string path = ::testing::TempDir() + "read_file_test.long";
  std::string text;
  for (int i = 0; i < 100'000; ++i) text += std::to_string(i);
  std::ofstream(path) << text;
  EXPECT_EQ(ReadFile(path, 1 << 20).value_or("refused"), text);
  EXPECT_EQ(ReadFile(path, text.size()).value_or("refused"), text);
  ExpectError(path, absl::StatusCode::kInvalidArgument);
}

TEST(ReadFile, NamesWhatCannotBeRead) {
  ExpectError("/nonexistent/file", absl::StatusCode::kNotFound);
  ExpectError("/tmp", absl::StatusCode::kInvalidArgument);
  ExpectError("/dev/zero", absl::StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace perigee
