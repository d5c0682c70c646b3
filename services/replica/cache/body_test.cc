#include "services/replica/cache/body.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <utility>
#include <vector>

#include "services/replica/cache/body_file.h"

namespace perigee::replica {
namespace {

constexpr uint64_t kRoom = 1'000'000;

Body Of(std::string bytes) { return Body(std::make_shared<const std::string>(std::move(bytes))); }

std::string ReadBack(const Body& body) {
  std::string read(body->size(), '\0');
  const ssize_t size = pread(body.file(), read.data(), read.size(), body->data() - body.file_start());
  return size == static_cast<ssize_t>(read.size()) ? read : "";
}

// What the file has in memory.
uint64_t BytesIn(int file) {
  struct stat seen {};
  EXPECT_EQ(fstat(file, &seen), 0);
  return static_cast<uint64_t>(seen.st_blocks) * 512;
}

TEST(Body, NoneIsNotEmpty) {
  EXPECT_FALSE(Body());
  EXPECT_TRUE(Of(""));
  EXPECT_EQ(*Of(""), "");
}

TEST(Body, BytesStayWhereTheyAre) {
  const auto bytes = std::make_shared<const std::string>("abc");
  const Body body(bytes);
  EXPECT_EQ(body->data(), bytes->data());
  EXPECT_EQ(body.file(), -1);
}

TEST(Body, SlackIsNoPartOfIt) {
  Body::Draft draft = Body::Make(5, 8);
  std::fill_n(draft.bytes, 13, 'y');
  EXPECT_EQ(*draft.body, "yyyyy");
}

TEST(BodyFile, KeepsWhatIsOfMiddleSizeAndTheRestAsItIs) {
  BodyFile file(kRoom);
  EXPECT_EQ(file.Keep(Of(std::string(BodyFile::kMaxBytes, 'x'))).file(), -1);
  EXPECT_EQ(file.Keep(Of(std::string(BodyFile::kMinBytes - 1, 'x'))).file(), -1);
  const std::string a(BodyFile::kMinBytes, 'a'), b(3 * BodyFile::kMinBytes + 7, 'b');
  const Body kept_a = file.Keep(Of(a)), kept_b = file.Keep(Of(b));
  ASSERT_GE(kept_a.file(), 0);
  EXPECT_EQ(kept_a.file(), kept_b.file());
  EXPECT_EQ(*kept_a, a);
  EXPECT_EQ(*kept_b, b);
  EXPECT_EQ(ReadBack(kept_a), a);
  EXPECT_EQ(ReadBack(kept_b), b);
}

TEST(BodyFile, BodiesOutliveIt) {
  const std::string bytes(BodyFile::kMinBytes, 'x');
  Body body = BodyFile(kRoom).Keep(Of(bytes));
  const Body copy = body;
  body = Body();
  EXPECT_EQ(*copy, bytes);
  EXPECT_EQ(ReadBack(copy), bytes);
}

TEST(BodyFile, GivesMemoryBackWithTheLastCopy) {
  BodyFile file(kRoom);
  const Body stays = file.Keep(Of(std::string(BodyFile::kMinBytes, 'x')));
  const uint64_t before = BytesIn(stays.file());
  Body body = file.Keep(Of(std::string(100'000, 'y')));
  EXPECT_GE(BytesIn(stays.file()), before + 100'000);
  Body copy = body;
  body = Body();
  EXPECT_GE(BytesIn(stays.file()), before + 100'000);
  copy = Body();
  EXPECT_EQ(BytesIn(stays.file()), before);
}

// As a socket's queue has it.
TEST(BodyFile, PagesThatSomeoneStillHasAreNotWrittenAgain) {
  BodyFile file(kRoom);
  Body old = file.Keep(Of(std::string(BodyFile::kMinBytes, 'o')));
  int pipe_ends[2];
  ASSERT_EQ(pipe(pipe_ends), 0);
  off64_t offset = old->data() - old.file_start();
  ASSERT_EQ(splice(old.file(), &offset, pipe_ends[1], nullptr, old->size(), 0),
            static_cast<ssize_t>(old->size()));
  const char* const place = old->data();
  old = Body();
  const Body next = file.Keep(Of(std::string(BodyFile::kMinBytes, 'n')));
  EXPECT_EQ(next->data(), place);
  std::string seen(BodyFile::kMinBytes, '\0');
  ASSERT_EQ(read(pipe_ends[0], seen.data(), seen.size()), static_cast<ssize_t>(seen.size()));
  EXPECT_EQ(seen, std::string(BodyFile::kMinBytes, 'o'));
  close(pipe_ends[0]);
  close(pipe_ends[1]);
}

TEST(BodyFile, TakesAsMuchAsItWasMadeForWhateverTheSizesWereBefore) {
  BodyFile file(kRoom);
  for (const size_t size : {BodyFile::kMinBytes, 2 * BodyFile::kMinBytes + 1, BodyFile::kMaxBytes - 1}) {
    std::vector<Body> bodies;
    for (uint64_t kept = 0; kept + size <= kRoom; kept += size) {
      bodies.push_back(file.Keep(Of(std::string(size, 'x'))));
      EXPECT_GE(bodies.back().file(), 0) << size;
    }
  }
}

TEST(BodyFile, WithoutRoomBodiesStayAsTheyAre) {
  BodyFile file(1);
  const Body body = file.Keep(Of(std::string(100'000, 'x')));
  EXPECT_EQ(body.file(), -1);
  EXPECT_EQ(body->size(), 100'000u);
}

TEST(BodyFile, WithoutDescriptorsBodiesStayAsTheyAre) {
  rlimit limit{};
  ASSERT_EQ(getrlimit(RLIMIT_NOFILE, &limit), 0);
  const rlimit none{.rlim_cur = 0, .rlim_max = limit.rlim_max};
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &none), 0);
  BodyFile file(kRoom);
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &limit), 0);
  const std::string bytes(BodyFile::kMinBytes, 'x');
  EXPECT_EQ(*file.Keep(Of(bytes)), bytes);
}

}  // namespace
}  // namespace perigee::replica
