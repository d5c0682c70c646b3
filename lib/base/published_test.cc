#include "lib/base/published.h"

#include <array>
#include <thread>
#include <vector>

#include "gtest/gtest.h"

namespace perigee {
namespace {

TEST(Published, AReaderSeesWhatWasPublishedLast) {
  Published<int> published(std::make_shared<const int>(1));
  Published<int>::Reader reader(published);
  EXPECT_EQ(*reader.Current(), 1);
  published.Publish(std::make_shared<const int>(2));
  EXPECT_EQ(*reader.Current(), 2);
  EXPECT_EQ(*Published<int>::Reader(published).Last(), 2) << "who comes later sees it too";
}

TEST(Published, AValueStaysUntilEveryReaderHasMovedOn) {
  const auto first = std::make_shared<const int>(1);
  Published<int> published(first);
  Published<int>::Reader slow(published), quick(published);
  published.Publish(std::make_shared<const int>(2));
  quick.Current();
  EXPECT_EQ(first.use_count(), 2);
  slow.Current();
  EXPECT_EQ(first.use_count(), 1);
}

TEST(Published, ManyReadersDuringManyChangesSeeWholeValuesInOrder) {
  constexpr int kChanges = 10'000;
  Published<std::vector<int>> published(std::make_shared<const std::vector<int>>(8, 0));
  std::array<std::thread, 3> readers;
  for (std::thread& thread : readers) {
    thread = std::thread([&published] {
      Published<std::vector<int>>::Reader reader(published);
      int last = 0;
      while (last < kChanges) {
        const std::vector<int>& value = *reader.Current();
        ASSERT_EQ(value, std::vector<int>(8, value.front()));
        ASSERT_GE(value.front(), last);
        last = value.front();
      }
    });
  }
  for (int i = 1; i <= kChanges; ++i) published.Publish(std::make_shared<const std::vector<int>>(8, i));
  for (std::thread& reader : readers) reader.join();
}

}  // namespace
}  // namespace perigee
