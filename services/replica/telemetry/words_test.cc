#include "services/replica/telemetry/words.h"

#include <gmock/gmock.h>

#include <set>

namespace perigee::replica {
namespace {

template <typename Enum>
void ExpectWords() {
  std::set<std::string_view> seen;
  for (size_t i = 0; i < static_cast<size_t>(Enum::kCount); ++i) {
    const std::string_view word = Word(static_cast<Enum>(i));
    EXPECT_FALSE(word.empty());
    EXPECT_TRUE(seen.insert(word).second) << word;
  }
}

TEST(Words, EachValueHasOneOfItsOwn) {
  ExpectWords<MethodClass>();
  ExpectWords<StatusClass>();
  ExpectWords<HitTier>();
  ExpectWords<Refusal>();
}

TEST(Words, MethodsAreCaseSensitive) {
  EXPECT_EQ(ClassOfMethod("GET"), MethodClass::kGet);
  EXPECT_EQ(ClassOfMethod("HEAD"), MethodClass::kHead);
  EXPECT_EQ(ClassOfMethod("POST"), MethodClass::kPost);
  EXPECT_EQ(ClassOfMethod("get"), MethodClass::kOther);
  EXPECT_EQ(ClassOfMethod(""), MethodClass::kOther);
}

TEST(Words, StatusesAreClassedByTheirFirstDigit) {
  EXPECT_EQ(Word(ClassOfStatus(0)), "none");
  EXPECT_EQ(Word(ClassOfStatus(101)), "1xx");
  EXPECT_EQ(Word(ClassOfStatus(204)), "2xx");
  EXPECT_EQ(Word(ClassOfStatus(599)), "5xx");
  EXPECT_EQ(Word(ClassOfStatus(600)), "none");
  EXPECT_EQ(Word(ClassOfStatus(-100)), "none");
}

TEST(Words, RefusalsAreKnownByTheirStatus) {
  EXPECT_EQ(Word(RefusalOf(400)), "malformed");
  EXPECT_EQ(Word(RefusalOf(421)), "foreign-host");
  EXPECT_EQ(Word(RefusalOf(431)), "head-too-large");
  EXPECT_EQ(Word(RefusalOf(508)), "loop");
  EXPECT_EQ(Word(RefusalOf(418)), "other");
}

}  // namespace
}  // namespace perigee::replica
