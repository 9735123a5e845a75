// init: the first fifteen minutes.
#include <fmt/format.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <iostream>

#include "cli/command.h"
#include "core/counted.h"
#include "core/text.h"
#include "formats/bytes.h"
#include "sources/discover.h"
#include "sources/propose.h"

namespace sluice::cli {
namespace {

namespace fs = std::filesystem;

int Finish(Context& context, Result<int> result) { return result ? *result : Report(context, result.error()); }

// Where the examples lie: beside an installed binary, else in the source tree it was built from.
Result<fs::path> ExamplesFolder() {
  std::error_code ignored;
  const fs::path binary = fs::read_symlink("/proc/self/exe", ignored);
  for (const fs::path& candidate : {binary.parent_path() / ".." / "share" / "sluice" / "examples", fs::path(SLUICE_EXAMPLES_DIR)})
    if (fs::is_directory(candidate, ignored)) return candidate;
  return Fail(UserError("no-examples", "the examples are not installed beside this binary"));
}

Status MustBeFree(const fs::path& dir) {
  std::error_code ignored;
  if (fs::exists(dir / "sluice.yml", ignored))
    return Fail(UserError("project-exists", fmt::format("{} has a sluice.yml already", dir.string())).Hint("choose another folder"));
  return Ok();
}

Status Write(const fs::path& path, const std::string& text) {
  std::error_code error;
  if (fs::exists(path, error))
    return Fail(UserError("file-exists", fmt::format("{} is there already: nothing of yours is overwritten", path.string())));
  fs::create_directories(path.parent_path(), error);
  std::ofstream out(path, std::ios::binary);
  out << text;
  out.close();
  if (!out) return Fail(UserError("unwritable-file", "can't write " + path.string()));
  return Ok();
}

Result<int> FromExample(Context& context, const InitArgs& args) {
  SLUICE_TRY(const fs::path examples, ExamplesFolder());
  std::error_code error;
  const fs::path from = examples / args.example;
  if (args.example.find('/') != std::string::npos || !fs::exists(from / "sluice.yml", error)) {
    std::vector<std::string> names;
    for (const auto& entry : fs::directory_iterator(examples)) names.push_back(entry.path().filename().string());
    return Fail(UserError("unknown-example", fmt::format("no example \"{}\"{}", args.example, DidYouMean(args.example, names)))
                    .Hint("there are: " + Join(names, ", ")));
  }
  fs::create_directories(args.dir, error);
  for (const auto& entry : fs::directory_iterator(from)) {
    const std::string name = entry.path().filename().string();
    if (name == "lake" || name == "landing" || name == ".sluice") continue;
    fs::copy(entry.path(), fs::path(args.dir) / name, fs::copy_options::recursive | fs::copy_options::skip_existing, error);
    if (error) return Fail(UserError("unwritable-file", fmt::format("can't copy {}: {}", name, error.message())));
  }
  context.io.out << fmt::format("made the {} example in {}\n  next: cd {}\n", args.example, args.dir, args.dir);
  if (args.example == "retail") context.io.out << "        sluice generate retail --out landing\n";
  context.io.out << "        sluice run\n";
  return kDone;
}

Result<int> FromFolder(Context& context, const InitArgs& args) {
  sources::ProposeRequest request;
  request.from = args.from;
  request.project_name = fs::weakly_canonical(args.dir).filename().string();
  // Inside the project a path stands relative to it, so that the whole can be moved; elsewhere it is absolute.
  const fs::path from = fs::weakly_canonical(args.from), dir = fs::weakly_canonical(args.dir);
  const fs::path relative = from.lexically_relative(dir);
  request.connection_path = relative.empty() || relative.string().starts_with("..") ? from.string() : "./" + relative.string();
  request.accept_guesses = args.accept;
  SLUICE_TRY(const auto proposal, sources::ProposeProject(request));
  for (const auto& [path, text] : proposal.files) SLUICE_CHECK(Write(fs::path(args.dir) / path, text));
  for (const auto& [path, text] : proposal.files) context.io.out << "  wrote " << path << "\n";
  for (const auto& source : proposal.sources) {
    if (source.format == "delta") {
      context.io.out << fmt::format("  {}  a Delta table, read where it lies (load: external)\n", source.name);
      continue;
    }
    context.io.out << fmt::format("  {}  {}, {} looked at{}{}\n", source.name, Counted(source.files, source.format + " file"),
                                  Counted(source.records, "record"), source.key.empty() ? "" : ", key " + Join(source.key, ", "),
                                  source.misfits > 0 ? ", " + Counted(source.misfits, "does not fit", "do not fit") : "");
  }
  for (const auto& skipped : proposal.skipped) context.io.out << fmt::format("  left out {}: {}\n", skipped.key, skipped.why);
  context.io.out << fmt::format(
      "looked at {} and proposed a project: read the contracts, then\n  next: cd {}\n        sluice validate\n        sluice plan\n        "
      "sluice run\n",
      args.from, args.dir);
  return kDone;
}

// Nothing given: the smallest project that says where things go.
Result<int> Empty(Context& context, const InitArgs& args) {
  const std::string name = sources::TableName(fs::weakly_canonical(args.dir).filename().string());
  const std::pair<const char*, std::string> files[] = {
      {"sluice.yml",
       fmt::format("project: {}\nlake: ./lake\nconnections:\n  drop: {{ type: files, path: ./landing }}   # where files arrive\n",
                   name.empty() ? "project" : name)},
      {"landing/.gitkeep", ""},
      {"sources/README.md", "One file for each bronze table; `sluice inspect FILE` proposes one. See the project reference.\n"},
      {"models/silver/.gitkeep", ""},
      {"models/gold/.gitkeep", ""},
      {".gitignore", ".sluice/\nlake/\n"}};
  for (const auto& [path, text] : files) SLUICE_CHECK(Write(fs::path(args.dir) / path, text));
  context.io.out << fmt::format(
      "made an empty project in {}\n  next: put files into landing/, and let `sluice inspect FILE` propose a contract\n        or start "
      "from a folder of files: sluice init --from DIR NEW\n",
      args.dir);
  return kDone;
}

Result<int> MakeProject(Context& context, const InitArgs& args) {
  if (!args.from.empty() && !args.example.empty()) return Fail(UserError("bad-flags", "--from and --example exclude each other"));
  if (args.accept && args.from.empty())
    return Fail(UserError("bad-flags", "--accept is of init --from: without files there is nothing to guess").Hint("leave it out"));
  SLUICE_CHECK(MustBeFree(args.dir));
  if (!args.example.empty()) return FromExample(context, args);
  if (!args.from.empty()) return FromFolder(context, args);
  return Empty(context, args);
}

}  // namespace

int Init(Context& context, const InitArgs& args) { return Finish(context, MakeProject(context, args)); }

}  // namespace sluice::cli
