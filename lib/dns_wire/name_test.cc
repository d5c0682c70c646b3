#include "lib/dns_wire/name.h"

#include <string>

#include "fmt/format.h"
#include "gmock/gmock.h"
#include "lib/dns_wire/testing/message.h"

namespace perigee::dns {
namespace {

using testing::Bytes;
using ::testing::HasSubstr;
using testing::Hex;

Name N(std::string_view text) { return Name::Parse(text).value(); }

TEST(Name, PrintsWhatItParsed) {
  for (const char* text :
       {".", "org.", "www.example.org.", "a\\.b.org.", "\\000\\255\\032.org.", "\\\\\\\".x.", "*.x."}) {
    EXPECT_EQ(N(text).view().ToText(), text);
  }
  EXPECT_EQ(N("example.org").view().ToText(), "example.org.");
}

TEST(Name, RefusesTextThatIsNoName) {
  const std::string label(63, 'a');
  const std::string four = label + "." + label + "." + label + ".";
  EXPECT_TRUE(Name::Parse(four + std::string(61, 'a')).ok());  // 255 octets on the wire
  for (const std::string& text :
       {std::string(), std::string(".."), std::string("a..b"), std::string(".a"), label + "a.org",
        four + std::string(62, 'a'), std::string("a\\"), std::string("\\256.org"), std::string("\\25.org")}) {
    const auto name = Name::Parse(text);
    ASSERT_FALSE(name.ok()) << text;
    EXPECT_THAT(std::string(name.status().message()), HasSubstr("\"" + text + "\""));
  }
}

TEST(Name, ComparesAndHashesWithoutCase) {
  EXPECT_EQ(N("wWw.ExAmPlE.oRg"), N("www.example.org"));
  EXPECT_EQ(N("WWW.EXAMPLE.ORG").view().Hash(), N("www.example.org").view().Hash());
  EXPECT_FALSE(N("www.example.org") == N("ww.wexample.org"));
  // Only letters fold: '@' and '`', '[' and '{' differ by the same bit.
  EXPECT_FALSE(N("\\@.org") == N("`.org"));
  EXPECT_FALSE(N("[.org") == N("{.org"));
}

TEST(Name, ComparesEveryOctetAtEveryLength) {
  for (size_t size = 1; size <= 40; ++size) {
    const Name name = N(std::string(size, 'a'));
    EXPECT_EQ(name, N(std::string(size, 'A'))) << size;
    EXPECT_EQ(name.view().Hash(), N(std::string(size, 'A')).view().Hash()) << size;
    for (size_t at = 0; at < size; ++at) {
      std::string other(size, 'a');
      other[at] = 'b';
      EXPECT_FALSE(name == N(other)) << size << " " << at;
      EXPECT_NE(name.view().Hash(), N(other).view().Hash()) << size << " " << at;
    }
  }
}

TEST(Name, FoldsLettersOnly) {
  for (int c = 0; c < 256; ++c) {
    const bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
    const Name name = N(fmt::format("\\{:03}", c)), other = N(fmt::format("\\{:03}", c ^ 0x20));
    EXPECT_EQ(name == other, letter) << c;
  }
}

TEST(Name, LiesWithinItselfAndItsAncestors) {
  const Name name = N("www.Example.org");
  for (const char* text : {".", "org", "example.org", "www.example.org"}) {
    EXPECT_TRUE(name.view().IsWithin(N(text))) << text;
  }
  for (const char* text : {"ww.example.org", "xample.org", "a.www.example.org", "net"}) {
    EXPECT_FALSE(name.view().IsWithin(N(text))) << text;
  }
}

TEST(NameView, ReadsOnlyWholePlainNames) {
  const Bytes good = Hex("03 77 77 77 00 ff");
  Reader reader(good);
  NameView name;
  ASSERT_TRUE(NameView::Read(reader, &name));
  EXPECT_EQ(name.ToText(), "www.");
  EXPECT_EQ(reader.remaining(), 1u);
  for (const char* hex : {"", "03", "03 77 77", "03 77 77 77", "c0 00", "40 00", "80 00", "01 61 c0 00"}) {
    const Bytes bytes = Hex(hex);
    Reader bad(bytes);
    EXPECT_FALSE(NameView::Read(bad, &name)) << hex;
  }
}

TEST(NameView, RefusesMoreThan255Octets) {
  Bytes bytes;
  for (int i = 0; i < 127; ++i) bytes.insert(bytes.end(), {1, 'a'});
  bytes.push_back(0);
  NameView view;
  Reader longest(bytes);
  EXPECT_TRUE(NameView::Read(longest, &view));
  EXPECT_EQ(view.size(), 255u);
  bytes.insert(bytes.begin(), {1, 'a'});
  Reader too_long(bytes);
  EXPECT_FALSE(NameView::Read(too_long, &view));
}

TEST(NameRead, FollowsPointersBackwards) {
  const Bytes bytes = Hex(R"(
    03 6f 72 67 00     #  0: org.
    01 62 c0 00        #  5: b.org.
    01 61 c0 05 ff     #  9: a.b.org., then something else
  )");
  Reader reader(bytes);
  ASSERT_TRUE(reader.Skip(9));
  Name name;
  ASSERT_TRUE(Name::Read(reader, &name));
  EXPECT_EQ(name.view().ToText(), "a.b.org.");
  EXPECT_EQ(reader.offset(), 13u);
}

TEST(NameRead, RefusesPointersThatLeadForwardOrInCircles) {
  for (const char* hex : {"c0 00", "c0 02 00", "01 61 c0 00", "01 61 c0 02", "c0", "ff ff"}) {
    const Bytes bytes = Hex(hex);
    Reader reader(bytes);
    Name name;
    EXPECT_FALSE(Name::Read(reader, &name)) << hex;
  }
}

TEST(NameRead, RefusesAPointerChainThatMakesTheNameTooLong) {
  Bytes bytes = {0};
  size_t previous = 0;
  for (int i = 0; i < 5; ++i) {  // five labels of 62 octets, each pointing to the one before
    const size_t start = bytes.size();
    bytes.push_back(62);
    bytes.insert(bytes.end(), 62, 'a');
    bytes.insert(bytes.end(), {static_cast<uint8_t>(0xc0 | previous >> 8), static_cast<uint8_t>(previous)});
    previous = start;
    Reader reader(bytes);
    ASSERT_TRUE(reader.Skip(start));
    Name name;
    EXPECT_EQ(Name::Read(reader, &name), i < 4) << i;
  }
}

}  // namespace
}  // namespace perigee::dns
