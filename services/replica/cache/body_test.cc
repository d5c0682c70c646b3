#include "services/replica/cache/body.h"

#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <utility>

namespace perigee::replica {
namespace {

Body Of(std::string bytes) { return Body(std::make_shared<const std::string>(std::move(bytes))); }

TEST(Body, NoneIsNotEmpty) {
  EXPECT_FALSE(Body());
  EXPECT_TRUE(Of(""));
  EXPECT_EQ(*Of(""), "");
}

TEST(Body, SmallBytesStayWhereTheyAre) {
  const auto bytes = std::make_shared<const std::string>("abc");
  const Body body(bytes);
  EXPECT_EQ(body->data(), bytes->data());
  EXPECT_EQ(body.file(), -1);
}

TEST(Body, LargeOnesAreInAFile) {
  const std::string bytes(Body::kMinFileBytes + 3, 'x');
  Body body = Of(bytes);
  ASSERT_GE(body.file(), 0);
  EXPECT_EQ(*body, bytes);
  std::string read(bytes.size(), '\0');
  EXPECT_EQ(pread(body.file(), read.data(), read.size(), 0), static_cast<ssize_t>(read.size()));
  EXPECT_EQ(read, bytes);

  const int file = body.file();
  const Body copy = body;
  body = Body();
  struct stat unused;
  EXPECT_EQ(*copy, bytes);
  EXPECT_EQ(fstat(file, &unused), 0);
}

TEST(Body, TheFileIsClosedWithTheLastCopy) {
  const int file = Of(std::string(Body::kMinFileBytes, 'x')).file();
  struct stat unused;
  EXPECT_EQ(fstat(file, &unused), -1);
}

TEST(Body, SlackIsNoPartOfIt) {
  for (const size_t size : {size_t{5}, Body::kMinFileBytes}) {
    Body::Draft draft = Body::Make(size, 8);
    std::fill_n(draft.bytes, size + 8, 'y');
    EXPECT_EQ(*draft.body, std::string(size, 'y'));
  }
}

TEST(Body, WithoutDescriptorsItIsInMemory) {
  rlimit limit{};
  ASSERT_EQ(getrlimit(RLIMIT_NOFILE, &limit), 0);
  const rlimit none{.rlim_cur = 0, .rlim_max = limit.rlim_max};
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &none), 0);
  const std::string bytes(Body::kMinFileBytes, 'x');
  const Body body = Of(bytes);
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &limit), 0);
  EXPECT_EQ(body.file(), -1);
  EXPECT_EQ(*body, bytes);
}

}  // namespace
}  // namespace perigee::replica
