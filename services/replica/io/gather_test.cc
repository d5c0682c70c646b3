#include "services/replica/io/gather.h"

#include <gtest/gtest.h>

#include <string>

namespace perigee::replica {
namespace {

std::string Single(const Gather& bytes) {
  const auto* piece = bytes.single();
  return piece ? std::string(static_cast<const char*>(piece->data()), piece->size()) : "none";
}

TEST(Gather, KnowsWhenOnePieceIsLeft) {
  EXPECT_EQ(Single(Gather("")), "none");
  EXPECT_EQ(Single(Gather("head")), "head");
  EXPECT_EQ(Single(Gather("", "body")), "body");
  EXPECT_EQ(Single(Gather("", "", "end")), "end");
  EXPECT_EQ(Single(Gather("head", "body")), "none");
  EXPECT_EQ(Single(Gather("head", "", "end")), "none");
}

TEST(Gather, AdvancesOverItsPieces) {
  Gather bytes("head", "body");
  bytes.Advance(6);
  EXPECT_EQ(Single(bytes), "dy");
  EXPECT_FALSE(bytes.empty());
  bytes.Advance(2);
  EXPECT_TRUE(bytes.empty());
}

TEST(Gather, BeginsWithItsFirstBytes) {
  const Gather bytes("head", "body", "end");
  EXPECT_EQ(bytes.size(), 11u);
  EXPECT_EQ(Single(bytes.First(3)), "hea");
  EXPECT_EQ(Single(bytes.First(4)), "head");
  EXPECT_EQ(Single(bytes.First(6)), "none");
  EXPECT_EQ(bytes.First(6).size(), 6u);
  EXPECT_EQ(bytes.First(100).size(), 11u);
  EXPECT_TRUE(bytes.First(0).empty());
}

TEST(Gather, KnowsWhereInItsFileThePieceBegins) {
  const std::string file = "0123456789";
  Gather bytes = Gather("head", std::string_view(file).substr(2, 5)).FromFile(7, file.data());
  EXPECT_EQ(bytes.file(), 7);
  EXPECT_EQ(bytes.front_in_file(), std::nullopt);
  bytes.Advance(4 + 3);
  EXPECT_EQ(bytes.front_in_file(), 5);
  EXPECT_EQ(bytes.front().size(), 2u);
  bytes.Advance(2);
  EXPECT_TRUE(bytes.empty());
  EXPECT_EQ(Gather("a", "b").front_in_file(), std::nullopt);
}

}  // namespace
}  // namespace perigee::replica
