#include "sources/http/fetch.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <memory>
#include <set>

#include "contract/decode_column.h"
#include "core/parallel.h"
#include "core/text.h"
#include "sources/http/answer.h"
#include "sources/http/pager.h"

namespace sluice::sources::http {
namespace {

constexpr size_t kInMemory = 512UL << 10;  // of one list
constexpr size_t kAtATime = 128;           // lists that are asked for before the first of them is written

// The records of one list until its turn comes: in memory, or in a file where they are many.
class Spool {
 public:
  explicit Spool(std::string path) : path_(std::move(path)) {}
  ~Spool() {
    if (file_) std::remove(path_.c_str());
  }
  Spool(Spool&&) = default;

  Status Add(std::string_view line) {
    text_.append(line).push_back('\n');
    return text_.size() < kInMemory ? Ok() : Flush();
  }

  Status Give(const std::function<Status(std::string_view)>& write) {
    if (!file_) return write(text_);
    SLUICE_CHECK(Flush());
    if (std::fseek(file_.get(), 0, SEEK_SET) != 0) return Failed();
    std::string buffer(1 << 20, '\0');
    while (const size_t n = std::fread(buffer.data(), 1, buffer.size(), file_.get())) SLUICE_CHECK(write({buffer.data(), n}));
    return std::ferror(file_.get()) != 0 ? Failed() : Ok();
  }

 private:
  Status Failed() const { return Fail(RetryableError("scratch-failed", path_ + " cannot be written or read: is the disk full?")); }

  Status Flush() {
    if (!file_) file_.reset(std::fopen(path_.c_str(), "w+be"));
    if (!file_ || std::fwrite(text_.data(), 1, text_.size(), file_.get()) != text_.size()) return Failed();
    text_.clear();
    return Ok();
  }

  struct Close {
    void operator()(std::FILE* file) const { std::fclose(file); }
  };
  std::string path_, text_;
  std::unique_ptr<std::FILE, Close> file_;
};

class Fetch {
 public:
  explicit Fetch(const Fetching& fetching) : in_(fetching), parent_fields_(ParentFields(fetching.read.request)) {}

  Status All(const std::vector<Context>& contexts) {
    if (in_.read.parent == nullptr) return Lists(contexts);
    for (const Context& context : contexts) {
      std::vector<Context> children;
      const auto take = [&](std::string_view record, std::string_view) -> Status {
        SLUICE_TRY(children.emplace_back(), ChildOf(context, record));
        return Ok();
      };
      SLUICE_CHECK(List(*in_.read.parent, context, take, [&]() -> Status {
        SLUICE_CHECK(Lists(children));
        children.clear();
        return Ok();
      }));
    }
    return Ok();
  }

 private:
  // {parent.FIELD} and what is carried of a parent.
  static std::set<std::string> ParentFields(const Request& request) {
    std::set<std::string> fields;
    const auto add = [&](std::string_view name) {
      if (name.starts_with("parent.")) fields.emplace(name.substr(7));
    };
    for (const std::string* text : {&request.path, &request.body})
      for (const std::string& name : PlaceholdersIn(*text)) add(name);
    for (const auto* pairs : {&request.parameters, &request.headers})
      for (const auto& [key, value] : *pairs)
        for (const std::string& name : PlaceholdersIn(value)) add(name);
    for (const auto& [column, from] : request.carry) add(from);
    return fields;
  }

  Result<Context> ChildOf(const Context& outer, std::string_view record) const {
    Context child = outer;
    for (const std::string& field : parent_fields_) {
      auto json = FieldOf(record, field, true);
      auto text = FieldOf(record, field, false);
      if (!json || !text)
        return Fail(DataError("http-answer", fmt::format("a record of for_each has no \"{}\": {}", field, Shown(record))));
      child.json["parent." + field] = *std::move(json);
      child.texts["parent." + field] = *std::move(text);
    }
    return child;
  }

  // One list for each context, several at a time, written in the order of the contexts.
  Status Lists(const std::vector<Context>& contexts) {
    for (size_t begin = 0; begin < contexts.size(); begin += kAtATime) {
      const size_t count = std::min(kAtATime, contexts.size() - begin);
      std::vector<Spool> spools;
      for (size_t i = 0; i < count; ++i) spools.emplace_back(fmt::format("{}/list-{}", in_.folder, i));
      SLUICE_CHECK(InParallel(count, static_cast<size_t>(in_.settings.max_connections), [&](size_t i) {
        return List(
            in_.read.request, contexts[begin + i],
            [&](std::string_view record, std::string_view own) -> Status {
              SLUICE_TRY(const bool wanted, in_.wanted(record, own));
              return wanted ? spools[i].Add(record) : Ok();
            },
            [] { return Ok(); });
      }));
      for (Spool& spool : spools) SLUICE_CHECK(spool.Give(in_.write));
    }
    return Ok();
  }

  // All pages of one list.
  Status List(const Request& request, const Context& context, const TakeRecord& take, const std::function<Status()>& page_done) {
    Pager pager(request.pages);
    for (bool first = true;; first = false) {
      SLUICE_TRY(const Call call, Compose(request, context, pager));
      auto response = in_.caller.Send(call);
      if (!response) return Fail(std::move(response).error());
      if (!response->ok()) {
        // Behind the first page it says that there are no more pages only where pages are counted.
        const bool ends = first || (request.pages.by == Pages::By::kPage && response->status == 404);
        if (request.missing_is_empty && ends) return Ok();
        return Fail(in_.caller.About(UserError("http-not-found", fmt::format("the answer has status {}", response->status)), call)
                        .Hint("look at the request's path; where such an answer means that there is nothing, write on_missing: empty"));
      }
      const auto more = Page(request, context, call, *response, first, take, &pager);
      if (!more) return Fail(std::move(more).error());
      SLUICE_CHECK(page_done());
      if (!*more) return Ok();
    }
  }

  Result<bool> Page(const Request& request, const Context& context, const Call& call, net::HttpResponse& response, bool first,
                    const TakeRecord& take, Pager* pager) {
    if (request.missing_is_empty && first && Trim(response.body).empty()) return false;
    auto answer = Answer::Parse(std::move(response.body));
    if (!answer) return Fail(in_.caller.About(std::move(answer).error(), call));
    uint64_t hash = 0;
    auto found = answer->ForEachRecord(request, context.json, [&](std::string_view record, std::string_view own) {
      hash = hash * 31 + Hash64(own);
      return take(record, own);
    });
    if (!found) return Fail(in_.caller.About(std::move(found).error(), call));
    if (!found->has_value() && !request.missing_is_empty)
      return Fail(in_.caller
                      .About(DataError("http-answer", fmt::format("the answer has nothing at \"{}\": {}", request.records,
                                                                  Shown(answer->At("").value_or(std::nullopt).value_or("")))),
                             call)
                      .Hint("say by `records` where in the answer they are; where none may be there, write on_missing: empty"));
    auto more = pager->Advance(*answer, response, found->value_or(0), hash);
    if (!more) return Fail(in_.caller.About(std::move(more).error(), call));
    return more;
  }

  std::string Shown(std::string_view text) const { return contract::CutValue(in_.caller.Masked(std::string(text))); }

  Result<Call> Compose(const Request& request, const Context& context, const Pager& pager) const {
    Values values = context.texts;
    pager.Give(&values);
    Call call;
    call.method = request.method;
    const auto path = FillPath(request.path, values);
    if (!path)
      return Fail(UserError("http-placeholder", fmt::format("a placeholder in the path \"{}\" has no value yet", request.path))
                      .Hint("give `read` a start for the first run, or use it in `parameters`, where it is left out until it has one"));
    call.url = in_.settings.url + (path->empty() || path->starts_with('/') || path->starts_with('?') ? "" : "/") + *path;
    if (pager.url()) {
      call.url = ResolveReference(call.url, *pager.url());
    } else {
      const auto add = [&](const std::string& name, const std::string& value) {
        call.url += call.url.find('?') == std::string::npos ? '?' : '&';
        call.url += PercentEncode(name, false) + "=" + PercentEncode(value, false);
      };
      for (const auto& [name, text] : request.parameters)
        if (const auto value = Fill(text, values)) add(name, *value);
      for (const auto& [name, value] : pager.parameters()) add(name, value);
    }
    for (const auto& [name, text] : request.headers)
      if (auto value = Fill(text, values)) {
        if (std::any_of(value->begin(), value->end(), [](unsigned char c) { return c < 0x20 || c == 0x7f; }))
          return Fail(DataError("http-placeholder", fmt::format("the header {} would have a control character in it", name)));
        call.headers.emplace_back(name, *std::move(value));
      }
    if (!request.body.empty()) call.body = FillBody(request.body, values);
    return call;
  }

  const Fetching& in_;
  const std::set<std::string> parent_fields_;
};

}  // namespace

Status FetchAll(const Fetching& fetching, const std::vector<Context>& contexts) { return Fetch(fetching).All(contexts); }

}  // namespace sluice::sources::http
