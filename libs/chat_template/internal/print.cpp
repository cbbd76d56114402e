#include "libs/chat_template/internal/print.h"

#include <algorithm>
#include <cmath>
#include <string>
#include <string_view>

#include "libs/base/str_cat.h"
#include "libs/chat_template/internal/error.h"
#include "libs/chat_template/internal/python_text.h"
#include "libs/unicode/category.h"
#include "libs/unicode/utf8.h"

namespace chat_template::internal {
namespace {

constexpr std::int64_t kIndentMax = 64;

// Appends to one text and charges each part to the rendering.
class Printer {
 public:
  explicit Printer(Runtime& runtime) : runtime_(&runtime) {}

  void Own(std::string_view text) {
    runtime_->Copy(text.size());
    out_.Append(text, /*from_user=*/false);
  }
  void Text(const MarkedText& text) {
    runtime_->Copy(text.size());
    out_.Append(text);
  }
  // `text` with each code point replaced by what `spell` gives for it, with the mark of the original.
  template <typename Spell>
  void Spelled(const MarkedText& text, const Spell& spell) {
    std::size_t begin = 0;
    for (const MarkedText::Run& run : text.runs()) {
      std::string spelled;
      const std::string_view part = std::string_view(text.text()).substr(begin, run.end - begin);
      for (std::size_t at = 0; at < part.size();) {
        const unicode::Decoded decoded = unicode::DecodeUtf8(part, at);
        spell(decoded.code_point, part.substr(at, decoded.length), spelled);
        at += decoded.length;
      }
      runtime_->Copy(spelled.size());
      out_.Append(spelled, run.from_user);
      begin = run.end;
    }
  }
  void Step() { runtime_->Step(); }
  MarkedText Take() { return std::move(out_); }

 private:
  Runtime* runtime_;
  MarkedText out_;
};

std::string HexEscape(char32_t code_point) {
  static constexpr char kDigits[] = "0123456789abcdef";
  const auto escape = [code_point](char letter, int digits) {
    std::string text = {'\\', letter};
    for (int shift = 4 * (digits - 1); shift >= 0; shift -= 4) text.push_back(kDigits[(code_point >> shift) & 0xFU]);
    return text;
  };
  return code_point < 0x100 ? escape('x', 2) : code_point < 0x10000 ? escape('u', 4) : escape('U', 8);
}

// Python's repr of a str.
void PrintQuoted(Printer& out, const MarkedText& text) {
  const bool has_single = text.text().find('\'') != std::string::npos;
  const bool has_double = text.text().find('"') != std::string::npos;
  const char quote = has_single && !has_double ? '"' : '\'';
  out.Own(std::string_view(&quote, 1));
  out.Spelled(text, [quote](char32_t code_point, std::string_view as_is, std::string& spelled) {
    switch (code_point) {
      case '\n':
        spelled += "\\n";
        return;
      case '\r':
        spelled += "\\r";
        return;
      case '\t':
        spelled += "\\t";
        return;
      case '\\':
        spelled += "\\\\";
        return;
      default:
        break;
    }
    if (code_point == static_cast<unsigned char>(quote)) {
      spelled += "\\";
      spelled += as_is;
    } else if (unicode::IsPrintable(code_point)) {
      spelled += as_is;
    } else {
      spelled += HexEscape(code_point);
    }
  });
  out.Own(std::string_view(&quote, 1));
}

void PrintRepr(Printer& out, const Value& value);

template <typename Items, typename PrintItem>
void PrintJoined(Printer& out, const Items& items, const PrintItem& print_item) {
  bool first = true;
  for (const auto& item : items) {
    if (!first) out.Own(", ");
    first = false;
    print_item(item);
  }
}

void PrintScalar(Printer& out, const Value& value) {
  if (value.IsNone()) {
    out.Own("None");
  } else if (const bool* boolean = value.As<bool>(); boolean != nullptr) {
    out.Own(*boolean ? "True" : "False");
  } else if (value.IsInteger()) {
    out.Own(base::StrCat(value.Integer()));
  } else if (const double* number = value.As<double>(); number != nullptr) {
    out.Own(FormatFloat(*number));
  } else if (!value.IsUndefined()) {
    out.Own(base::StrCat("<", value.TypeName(), ">"));
  }
}

// REQUIRES: bounded depth, which Value::OfList sees to.
void PrintRepr(Printer& out, const Value& value) {
  out.Step();
  if (const MarkedText* text = value.AsText(); text != nullptr) {
    PrintQuoted(out, *text);
  } else if (const List* list = value.AsList(); list != nullptr) {
    out.Own(list->tuple ? "(" : "[");
    PrintJoined(out, list->items, [&out](const Value& item) { PrintRepr(out, item); });
    if (list->tuple && list->items.size() == 1) out.Own(",");
    out.Own(list->tuple ? ")" : "]");
  } else if (const Dict* dict = value.AsDict(); dict != nullptr) {
    out.Own("{");
    PrintJoined(out, dict->entries, [&out](const auto& entry) {
      PrintQuoted(out, entry.first);
      out.Own(": ");
      PrintRepr(out, entry.second);
    });
    out.Own("}");
  } else if (value.IsUndefined()) {
    out.Own("Undefined");
  } else {
    PrintScalar(out, value);
  }
}

class JsonPrinter {
 public:
  JsonPrinter(Printer& out, const JsonStyle& style) : out_(&out), style_(style) {}

  void Print(const Value& value) {
    out_->Step();
    if (const MarkedText* text = value.AsText(); text != nullptr) {
      PrintString(*text);
    } else if (const List* list = value.AsList(); list != nullptr) {
      PrintItems('[', ']', list->items, [this](const Value& item) { Print(item); });
    } else if (value.AsDict() != nullptr) {
      PrintDict(*value.AsDict());
    } else if (value.IsNone()) {
      out_->Own("null");
    } else if (const bool* boolean = value.As<bool>(); boolean != nullptr) {
      out_->Own(*boolean ? "true" : "false");
    } else if (value.IsInteger()) {
      out_->Own(base::StrCat(value.Integer()));
    } else if (const double* number = value.As<double>(); number != nullptr) {
      PrintFloat(*number);
    } else {
      FailOperation(base::StrCat("tojson of ", value.TypeName()));
    }
  }

 private:
  void PrintFloat(double number) {
    if (std::isnan(number)) {
      out_->Own("NaN");
    } else if (std::isinf(number)) {
      out_->Own(number < 0 ? "-Infinity" : "Infinity");
    } else {
      out_->Own(FormatFloat(number));
    }
  }

  void PrintString(const MarkedText& text) {
    out_->Own("\"");
    out_->Spelled(text, [](char32_t code_point, std::string_view as_is, std::string& spelled) {
      switch (code_point) {
        case '"':
          spelled += "\\\"";
          return;
        case '\\':
          spelled += "\\\\";
          return;
        case '\n':
          spelled += "\\n";
          return;
        case '\r':
          spelled += "\\r";
          return;
        case '\t':
          spelled += "\\t";
          return;
        case '\b':
          spelled += "\\b";
          return;
        case '\f':
          spelled += "\\f";
          return;
        default:
          break;
      }
      if (code_point < 0x20) {
        spelled += code_point < 0x10 ? "\\u000" : "\\u001";
        spelled.push_back("0123456789abcdef"[code_point & 0xFU]);
      } else {
        spelled += as_is;
      }
    });
    out_->Own("\"");
  }

  void PrintDict(const Dict& dict) {
    auto print_entry = [this](const auto& entry) {
      PrintString(entry.first);
      out_->Own(": ");
      Print(entry.second);
    };
    if (!style_.sort_keys) {
      PrintItems('{', '}', dict.entries, print_entry);
      return;
    }
    auto sorted = dict.entries;
    std::sort(sorted.begin(), sorted.end(),
              [](const auto& a, const auto& b) { return a.first.text() < b.first.text(); });
    PrintItems('{', '}', sorted, print_entry);
  }

  template <typename Items, typename PrintItem>
  void PrintItems(char open, char close, const Items& items, const PrintItem& print_item) {
    out_->Own(std::string_view(&open, 1));
    ++level_;
    bool first = true;
    for (const auto& item : items) {
      if (!first) out_->Own(style_.indent.has_value() ? "," : ", ");
      first = false;
      NewLine();
      print_item(item);
    }
    --level_;
    if (!items.empty()) NewLine();
    out_->Own(std::string_view(&close, 1));
  }

  void NewLine() {
    if (!style_.indent.has_value()) return;
    const std::int64_t width = std::clamp<std::int64_t>(*style_.indent, 0, kIndentMax);
    out_->Own("\n" + std::string(static_cast<std::size_t>(width * level_), ' '));
  }

  Printer* out_;
  JsonStyle style_;
  std::int64_t level_ = 0;
};

}  // namespace

MarkedText ToText(Runtime& runtime, const Value& value) {
  Printer out(runtime);
  if (const MarkedText* text = value.AsText(); text != nullptr) {
    out.Text(*text);
  } else if (value.AsList() != nullptr || value.AsDict() != nullptr) {
    PrintRepr(out, value);
  } else {
    PrintScalar(out, value);
  }
  return out.Take();
}

MarkedText ToJson(Runtime& runtime, const Value& value, const JsonStyle& style) {
  Printer out(runtime);
  JsonPrinter(out, style).Print(value);
  return out.Take();
}

}  // namespace chat_template::internal
