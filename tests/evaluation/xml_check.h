// A strict reader of XML, enough to say whether drawings are well formed.
#pragma once

#include <cctype>
#include <set>
#include <string>
#include <vector>

namespace stride {

/// Empty when `text` is one well-formed element (with elements, attributes, text and the five entities; no comments,
/// no processing instructions); else what is wrong and where.
inline std::string xml_fault(const std::string& text) {
  std::vector<std::string> open;
  std::size_t i = 0;
  bool seen = false;
  const auto fail = [&](const std::string& what) {
    return what + " at byte " + std::to_string(i) + ": " + text.substr(i, 40);
  };
  const auto name = [&] {
    const std::size_t begin = i;
    while (i < text.size() && (std::isalnum(static_cast<unsigned char>(text[i])) != 0 || text[i] == '-' ||
                               text[i] == ':' || text[i] == '_'))
      ++i;
    return text.substr(begin, i - begin);
  };
  const auto entity = [&] {
    for (const char* known : {"&amp;", "&lt;", "&gt;", "&quot;", "&#39;"}) {
      if (text.compare(i, std::string(known).size(), known) == 0) return true;
    }
    return false;
  };
  while (i < text.size()) {
    if (text[i] == '&' && !entity()) return fail("a bare ampersand");
    if (text[i] == '>') return fail("a bare >");
    if (static_cast<unsigned char>(text[i]) < 0x20 && text[i] != '\n' && text[i] != '\t')
      return fail("a control character");
    if (text[i] != '<') {
      if (open.empty() && std::isspace(static_cast<unsigned char>(text[i])) == 0) return fail("text outside the root");
      ++i;
      continue;
    }
    if (open.empty() && seen) return fail("a second root");
    seen = true;
    ++i;
    if (i < text.size() && text[i] == '/') {
      ++i;
      const std::string closing = name();
      if (open.empty() || open.back() != closing) return fail("unmatched </" + closing);
      open.pop_back();
      if (i >= text.size() || text[i] != '>') return fail("an unfinished end tag");
      ++i;
      continue;
    }
    const std::string tag = name();
    if (tag.empty()) return fail("a tag without a name");
    std::set<std::string> attributes;
    while (true) {
      const std::size_t before = i;
      while (i < text.size() && text[i] == ' ') ++i;
      if (i >= text.size()) return fail("an unfinished tag");
      if (text[i] == '>') {
        open.push_back(tag);
        ++i;
        break;
      }
      if (text.compare(i, 2, "/>") == 0) {
        i += 2;
        break;
      }
      if (before == i) return fail("no space before an attribute");
      const std::string attribute = name();
      if (attribute.empty() || !attributes.insert(attribute).second)
        return fail("a bad or repeated attribute " + attribute);
      if (text.compare(i, 2, "=\"") != 0) return fail("an attribute without a quoted value");
      for (i += 2; i < text.size() && text[i] != '"'; ++i) {
        if (text[i] == '<' || (text[i] == '&' && !entity())) return fail("an unescaped character in an attribute");
      }
      ++i;
    }
  }
  if (!open.empty()) return "never closed: " + open.back();
  return seen ? "" : "no element";
}

}  // namespace stride
