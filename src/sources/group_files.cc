#include "sources/group_files.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <map>
#include <optional>
#include <set>

#include "core/text.h"
#include "formats/bytes.h"
#include "formats/format.h"
#include "sources/files/listing.h"
#include "sources/propose.h"

namespace sluice::sources {
namespace {

bool IsDigit(char c) { return c >= '0' && c <= '9'; }

// A file's name taken apart: folder and stem, format's ending, compression's ending.
struct Parts {
  std::string stem, ending, packed;
  FileFormat format = FileFormat::kCsv;
};

std::optional<Parts> PartsOf(const std::string& path, const std::function<std::string(const std::string&)>& inside) {
  Parts parts;
  std::string_view key = path;
  const auto [packed, length] = formats::CompressionOfEnding(key);
  parts.packed = key.substr(key.size() - length);
  key.remove_suffix(length);
  const formats::FormatTraits* format = formats::FormatOfPath(key);
  if (format != nullptr) {
    for (const std::string_view ending : format->endings)
      if (ToLower(key).ends_with(ending)) parts.ending = key.substr(key.size() - ending.size());
    key.remove_suffix(parts.ending.size());
  } else if (packed == formats::Compression::kZip && inside) {
    format = formats::FormatOfPath(inside(path));
  }
  if (format == nullptr) return std::nullopt;
  parts.stem = key;
  parts.format = format->format;
  return parts;
}

std::string GlobEscaped(char c) { return std::string("*?[]{}").find(c) == std::string::npos ? std::string(1, c) : "?"; }

// Numbers become "[0-9]*": a number, and what stands between it and the next one ("2024-01-01T10", "2024_01"). A digit within a word
// of letters stays ("s3_log").
std::string WithoutNumbers(std::string_view stem) {
  std::string out;
  for (size_t i = 0; i < stem.size();) {
    const bool starts = IsDigit(stem[i]) && (i == 0 || std::string_view("/_-. =(").find(stem[i - 1]) != std::string_view::npos);
    if (!starts) {
      out += GlobEscaped(stem[i++]);
      continue;
    }
    size_t end = i;
    while (end < stem.size() && stem[end] != '/' &&
           (IsDigit(stem[end]) ||
            (std::string_view("-_.T: ").find(stem[end]) != std::string_view::npos && end + 1 < stem.size() && IsDigit(stem[end + 1]))))
      ++end;
    while (end < stem.size() && stem[end] == 'Z' && (end + 1 == stem.size() || stem[end + 1] == '/')) ++end;
    out += "[0-9]*";
    i = end;
  }
  return out;
}

// The same with each digit of a number as "[0-9]": narrower, for numbers of one length only.
std::string WithDigits(std::string_view stem, const std::string& pattern) {
  std::string out;
  for (size_t at = 0, i = 0; at < pattern.size();) {
    if (pattern.compare(at, 6, "[0-9]*") != 0) {
      out += pattern[at++];
      ++i;
      continue;
    }
    at += 6;
    const std::string_view next = std::string_view(pattern).substr(at, 1);
    for (; i < stem.size() && (next.empty() || GlobEscaped(stem[i]) != next); ++i) out += IsDigit(stem[i]) ? "[0-9]" : GlobEscaped(stem[i]);
  }
  return out;
}

// Whether a glob takes files of other groups as well.
bool TakesOthers(const std::string& glob, const std::vector<std::string>& own, const std::vector<std::string>& all) {
  return std::any_of(all.begin(), all.end(), [&](const std::string& key) {
    return GlobMatch(glob, key) && WhyLeftOut(key).empty() && std::find(own.begin(), own.end(), key) == own.end();
  });
}

// The words of a path's last part that say what it holds; the folder's where it says nothing ("part-00001").
std::string NameOf(const std::string& pattern) {
  std::vector<std::string> parts = Split(pattern, '/');
  for (auto part = parts.rbegin(); part != parts.rend(); ++part) {
    std::string words;
    for (size_t at = 0; at < part->size(); ++at) {
      if (part->compare(at, 6, "[0-9]*") == 0) {
        words += ' ';
        at += 5;
      } else {
        words += (*part)[at] == '?' ? ' ' : (*part)[at];
      }
    }
    if (const size_t equals = words.find('='); equals != std::string::npos) words.clear();  // dt=2024-01-01 names a partition
    std::string name = Trim(words).empty() ? "" : TableName(Trim(words));
    static const std::set<std::string> kGeneric = {"",       "part",  "data", "export", "file", "files", "dump",
                                                   "output", "batch", "page", "chunk",  "v",    "all"};
    if (name.starts_with("part_")) name = "";  // part-00001-uuid, as Spark names them
    if (!kGeneric.contains(name)) return name;
  }
  return "data";
}

std::string UnusedName(const std::string& wanted, FileFormat format, std::set<std::string>* used) {
  std::string name = wanted;
  if (used->contains(name)) name += fmt::format("_{}", format == FileFormat::kNdjson ? "json" : formats::TraitsOf(format).name);
  const std::string base = name;
  for (int i = 2; !used->insert(name).second; ++i) name = base + "_" + std::to_string(i);
  return name;
}

}  // namespace

Grouping GroupFiles(const std::vector<std::string>& keys, const std::function<std::string(const std::string&)>& inside) {
  Grouping out;
  struct Found {
    FileGroup group;
    std::set<std::string> packed;
    std::set<std::string> narrow;  // globs that take numbers of these lengths only
  };
  std::map<std::string, Found> found;  // by pattern and ending
  for (const std::string& key : keys) {
    const std::string why = WhyLeftOut(key);
    const auto parts = why.empty() ? PartsOf(key, inside) : std::nullopt;
    if (!why.empty() || !parts) {
      out.skipped.push_back(
          {key, why.empty()
                    ? "no format that can be read (csv, tsv, txt, ndjson, jsonl, json, xml, xlsx, parquet, orc, avro; packed ones too)"
                    : why});
      continue;
    }
    const std::string pattern = WithoutNumbers(parts->stem);
    Found& entry = found[pattern + parts->ending];
    entry.group.format = parts->format;
    entry.group.glob = pattern + parts->ending;
    entry.group.name = NameOf(pattern);
    entry.group.keys.push_back(key);
    entry.packed.insert(parts->packed);
    entry.narrow.insert(WithDigits(parts->stem, pattern) + parts->ending);
  }
  std::set<std::string> used;
  for (auto& [pattern, entry] : found) {
    const std::string packed = entry.packed.size() == 1 ? *entry.packed.begin() : "*";
    entry.group.glob += packed;
    if (entry.narrow.size() == 1 && TakesOthers(entry.group.glob, entry.group.keys, keys))
      entry.group.glob = *entry.narrow.begin() + packed;
    entry.group.name = UnusedName(entry.group.name, entry.group.format, &used);
    out.groups.push_back(std::move(entry.group));
  }
  std::sort(out.groups.begin(), out.groups.end(), [](const FileGroup& a, const FileGroup& b) { return a.name < b.name; });
  return out;
}

}  // namespace sluice::sources
