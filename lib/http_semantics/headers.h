// The fields of one HTTP message, in order, in one block of memory.
//
// The block is kept as the wire text "Name: value\r\n"…, so that a stored response is written to a client or
// to disk without being put together again, and a list that is cleared and filled again allocates nothing. A
// plain value: not thread-safe while it changes. Views that it hands out die with the next change.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace perigee::http {

struct HeaderField {
  std::string_view name;
  std::string_view value;  // without surrounding white space

  friend bool operator==(const HeaderField&, const HeaderField&) = default;
};

// ASCII only, as field names and tokens are.
bool EqualsIgnoreCase(std::string_view a, std::string_view b);
std::string ToLower(std::string_view text);
// Without spaces and tabs at both ends (OWS, RFC 9110 §5.6.3).
std::string_view Trim(std::string_view text);

// The elements of a comma-separated list (RFC 9110 §5.6.1): trimmed, empty ones left out; a comma inside a
// quoted string does not separate. The views point into `value`.
std::vector<std::string_view> SplitList(std::string_view value);

class HeaderList {
 public:
  HeaderList() = default;
  HeaderList(std::initializer_list<HeaderField> fields);

  // Takes back what text() gave; nothing when it is not a sequence of "Name: value\r\n".
  static std::optional<HeaderList> FromText(std::string text);

  // Appends. CR, LF and NUL inside the value become spaces (RFC 9110 §5.5).
  void Add(std::string_view name, std::string_view value);
  // Removes every field of that name, then appends one.
  void Set(std::string_view name, std::string_view value);
  // Returns how many were removed.
  size_t Remove(std::string_view name);
  void Clear();
  void Reserve(size_t fields, size_t text_bytes);

  size_t size() const { return fields_.size(); }
  bool empty() const { return fields_.empty(); }
  HeaderField operator[](size_t i) const;

  class Iterator {
   public:
    Iterator(const HeaderList* list, size_t at) : list_(list), at_(at) {}
    HeaderField operator*() const { return (*list_)[at_]; }
    Iterator& operator++() { return ++at_, *this; }
    bool operator==(const Iterator&) const = default;

   private:
    const HeaderList* list_;
    size_t at_;
  };
  Iterator begin() const { return {this, 0}; }
  Iterator end() const { return {this, size()}; }

  bool Has(std::string_view name) const;
  // The first value of that name.
  std::optional<std::string_view> Get(std::string_view name) const;
  std::vector<std::string_view> Values(std::string_view name) const;
  // All values of that name combined with ", " (RFC 9110 §5.3); empty when there is none.
  std::string Combined(std::string_view name) const;
  // The elements of all values of that name, as SplitList gives them.
  std::vector<std::string_view> ListElements(std::string_view name) const;
  // Whether a list-valued field has this element; case does not count.
  bool ListHas(std::string_view name, std::string_view token) const;

  // Removes what belongs to one connection only (RFC 9110 §7.6.1): Connection and the fields that it names,
  // but for Age, Cache-Control, CDN-Cache-Control, Set-Cookie and Vary, which it must not name; Keep-Alive,
  // Proxy-Connection, Proxy-Authentication-Info, Proxy-Authenticate, Proxy-Authorization, TE, Trailer,
  // Transfer-Encoding, Upgrade.
  void RemoveHopByHop();

  // "Name: value\r\n" for each field; no empty line at the end.
  const std::string& text() const { return text_; }

  friend bool operator==(const HeaderList& a, const HeaderList& b) { return a.text_ == b.text_; }

 private:
  struct Entry {
    uint32_t begin;
    uint32_t name_size;
    uint32_t value_size;
  };
  template <typename Predicate>
  size_t RemoveIf(Predicate remove);

  std::string text_;
  std::vector<Entry> fields_;
};

}  // namespace perigee::http
