#include "lib/http_semantics/structured.h"

#include <algorithm>

#include "lib/base/parse.h"

namespace perigee::http {
namespace {

using Type = StructuredValue::Type;

bool IsLower(char c) { return c >= 'a' && c <= 'z'; }
bool IsAlpha(char c) { return IsLower(c) || (c >= 'A' && c <= 'Z'); }
bool IsOneOf(char c, std::string_view set) { return set.find(c) != std::string_view::npos; }

// The algorithms of RFC 8941 §4.2, under their names. Each leaves the reader behind what it took, and returns
// false on a parse failure.
class Reader {
 public:
  explicit Reader(std::string_view text) : text_(text) {}

  bool Dictionary(StructuredDictionary* out) {
    SkipSpaces();
    while (!AtEnd()) {
      std::string key;
      StructuredValue value;
      if (!Key(&key)) return false;
      if (Take('=') ? !ItemOrInnerList(&value) : !Parameters()) return false;
      std::erase_if(*out, [&](const auto& member) { return member.first == key; });
      out->emplace_back(std::move(key), std::move(value));
      SkipWhitespace();
      if (AtEnd()) return true;
      if (!Take(',')) return false;
      SkipWhitespace();
      if (AtEnd()) return false;
    }
    return true;
  }

 private:
  bool AtEnd() const { return text_.empty(); }
  char Peek() const { return text_.empty() ? '\0' : text_.front(); }
  bool Take(char c) {
    if (AtEnd() || Peek() != c) return false;
    text_.remove_prefix(1);
    return true;
  }
  template <typename Predicate>
  std::string_view TakeWhile(Predicate wanted) {
    const size_t size = std::find_if_not(text_.begin(), text_.end(), wanted) - text_.begin();
    const std::string_view taken = text_.substr(0, size);
    text_.remove_prefix(size);
    return taken;
  }
  void SkipSpaces() {
    TakeWhile([](char c) { return c == ' '; });
  }
  void SkipWhitespace() {
    TakeWhile([](char c) { return c == ' ' || c == '\t'; });
  }

  bool Key(std::string* out) {
    if (!IsLower(Peek()) && Peek() != '*') return false;
    *out = TakeWhile([](char c) { return IsLower(c) || IsDigit(c) || IsOneOf(c, "_-.*"); });
    return true;
  }

  bool ItemOrInnerList(StructuredValue* out) {
    if (Peek() == '(') return InnerList(out) && Parameters();
    return BareItem(out) && Parameters();
  }

  bool InnerList(StructuredValue* out) {
    Take('(');
    out->type = Type::kInnerList;
    for (;;) {
      SkipSpaces();
      if (Take(')')) return true;
      StructuredValue item;
      if (!BareItem(&item) || !Parameters()) return false;
      if (Peek() != ' ' && Peek() != ')') return false;
      if (!item.text.empty()) out->items.push_back(item.text);
    }
  }

  bool Parameters() {
    while (Take(';')) {
      SkipSpaces();
      std::string key;
      StructuredValue ignored;
      if (!Key(&key)) return false;
      if (Take('=') && !BareItem(&ignored)) return false;
    }
    return true;
  }

  bool BareItem(StructuredValue* out) {
    const char c = Peek();
    if (c == '-' || IsDigit(c)) return Number(out);
    if (c == '"') return String(out);
    if (c == '*' || IsAlpha(c)) return Token(out);
    if (c == ':') return Bytes(out);
    return c == '?' && Boolean(out);
  }

  bool Number(StructuredValue* out) {
    constexpr size_t kMaxIntegerDigits = 15, kMaxWholeDigits = 12, kMaxFractionDigits = 3;
    const bool negative = Take('-');
    const std::string_view whole = TakeWhile(IsDigit);
    if (whole.empty() || whole.size() > kMaxIntegerDigits) return false;
    if (Take('.')) {
      const std::string_view fraction = TakeWhile(IsDigit);
      out->type = Type::kDecimal;
      return whole.size() <= kMaxWholeDigits && !fraction.empty() && fraction.size() <= kMaxFractionDigits;
    }
    out->type = Type::kInteger;
    out->integer = static_cast<int64_t>(ParseNumber<uint64_t>(whole).value_or(0)) * (negative ? -1 : 1);
    return true;
  }

  bool String(StructuredValue* out) {
    Take('"');
    out->type = Type::kString;
    while (!AtEnd()) {
      if (Take('"')) return true;
      if (Take('\\') && Peek() != '"' && Peek() != '\\') return false;
      if (AtEnd() || Peek() < 0x20 || Peek() == 0x7f) return false;
      out->text += Peek();
      text_.remove_prefix(1);
    }
    return false;
  }

  bool Token(StructuredValue* out) {
    out->type = Type::kToken;
    out->text = TakeWhile([](char c) { return IsAlpha(c) || IsDigit(c) || IsOneOf(c, "!#$%&'*+-.^_`|~:/"); });
    return true;
  }

  bool Bytes(StructuredValue* out) {
    Take(':');
    out->type = Type::kBytes;
    TakeWhile([](char c) { return IsAlpha(c) || IsDigit(c) || IsOneOf(c, "+/="); });
    return Take(':');
  }

  bool Boolean(StructuredValue* out) {
    Take('?');
    out->type = Type::kBoolean;
    out->boolean = Peek() == '1';
    return Take('1') || Take('0');
  }

  std::string_view text_;
};

}  // namespace

std::optional<StructuredDictionary> ParseStructuredDictionary(std::string_view text) {
  StructuredDictionary dictionary;
  if (!Reader(text).Dictionary(&dictionary)) return std::nullopt;
  return dictionary;
}

}  // namespace perigee::http
