#include "agent/ctl/form_body.h"

#include <algorithm>
#include <cerrno>
#include <climits>
#include <dirent.h>
#include <fcntl.h>
#include <random>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/ctl/text.h"
#include "agent/ctl/web_file.h"
#include "common/base/system_words.h"
#include "common/http/client.h"

namespace ica::ctl {
namespace {

constexpr size_t kPiece = 256U << 10;

bool is_url(std::string_view path) {
  return path.starts_with("http://") || path.starts_with("https://");
}

std::string join(const std::string& directory, const std::string& name) {
  return clean_path(directory.empty() ? name : directory + "/" + name);
}

std::string absolute(const std::string& path) {
  if (path.starts_with('/')) {
    return clean_path(path);
  }
  char cwd[PATH_MAX];
  return clean_path(std::string(::getcwd(cwd, sizeof cwd) != nullptr ? cwd : "/") + "/" + path);
}

// The type and permissions as Go's os.FileMode has them.
uint64_t go_mode(mode_t mode) {
  constexpr uint64_t kDirectory = 1ULL << 31;
  constexpr uint64_t kSetuid = 1ULL << 23;
  constexpr uint64_t kSetgid = 1ULL << 22;
  constexpr uint64_t kSticky = 1ULL << 20;
  return (mode & 0777U) | (S_ISDIR(mode) ? kDirectory : 0) | ((mode & S_ISUID) != 0 ? kSetuid : 0) |
         ((mode & S_ISGID) != 0 ? kSetgid : 0) | ((mode & S_ISVTX) != 0 ? kSticky : 0);
}

// "mode=0644&mtime=1577934245&mtime-nsecs=6"
std::string mode_and_time(const struct stat& info) {
  constexpr uint64_t kSymlinkMode = 1ULL << 27 | 0777;
  std::string out = fmt::format("mode=0{:o}&mtime={}",
                                S_ISLNK(info.st_mode) ? kSymlinkMode : go_mode(info.st_mode),
                                info.st_mtim.tv_sec);
  if (info.st_mtim.tv_nsec > 0) {
    out += fmt::format("&mtime-nsecs={}", info.st_mtim.tv_nsec);
  }
  return out;
}

std::string part_headers(const std::string& absolute_path, std::string_view parameters,
                         std::string_view name, std::string_view type) {
  std::string out;
  if (!absolute_path.empty()) {
    out += fmt::format("Abspath-Encoded: {}\r\n", query_escape(absolute_path));
  }
  return out + fmt::format(
                   "Content-Disposition: form-data; name=\"file{}{}\"; filename=\"{}\"\r\n"
                   "Content-Type: {}\r\n\r\n",
                   parameters.empty() ? "" : "?", parameters, query_escape(name), type);
}

Result<std::vector<std::string>> list_directory(const std::string& path, bool hidden) {
  DIR* dir = ::opendir(path.c_str());
  if (dir == nullptr) {
    return fail(Code::Io, "open {}: {}", path, system_words(errno));
  }
  std::vector<std::string> names;
  while (const dirent* entry = ::readdir(dir)) {
    const std::string_view name = entry->d_name;
    if (name != "." && name != ".." && (hidden || !name.starts_with('.'))) {
      names.emplace_back(name);
    }
  }
  ::closedir(dir);
  std::sort(names.begin(), names.end());
  return names;
}

// "prw-r--r--", only for what is no file, directory or symlink.
std::string mode_text(mode_t mode) {
  std::string out = S_ISFIFO(mode) ? "p" : S_ISSOCK(mode) ? "S" : S_ISCHR(mode) ? "Dc" : "D";
  constexpr std::string_view kLetters = "rwxrwxrwx";
  for (size_t i = 0; i < kLetters.size(); ++i) {
    out += (mode & (0400U >> i)) != 0 ? kLetters[i] : '-';
  }
  return out;
}

Status check_root(const std::string& path, bool recursive) {
  struct stat info {};
  if (::lstat(path.c_str(), &info) != 0) {
    return fail(Code::NotFound, "lstat {}: {}", path, system_words(errno));
  }
  if (S_ISDIR(info.st_mode) && !recursive) {
    return fail(Code::InvalidArgument, "{} is a directory, but Recursive option is not set", path);
  }
  if (S_ISREG(info.st_mode) && ::access(path.c_str(), R_OK) != 0) {
    return fail(Code::Io, "open {}: {}", path, system_words(errno));
  }
  if (!S_ISDIR(info.st_mode) && !S_ISREG(info.st_mode) && !S_ISLNK(info.st_mode)) {
    return fail(Code::InvalidArgument, "unrecognized file type for {}: {}", path,
                mode_text(info.st_mode));
  }
  return {};
}

std::string random_boundary() {
  std::random_device random;
  std::string out;
  while (out.size() < 60) {
    out += fmt::format("{:02x}", random() & 0xff);
  }
  return out;
}

uint64_t count_bytes(const std::string& path, bool hidden) {
  struct stat info {};
  if (::lstat(path.c_str(), &info) != 0) {
    return 0;
  }
  if (S_ISREG(info.st_mode)) {
    return static_cast<uint64_t>(info.st_size);
  }
  uint64_t sum = 0;
  if (S_ISDIR(info.st_mode)) {
    if (const auto names = list_directory(path, hidden)) {
      for (const std::string& name : *names) {
        sum += count_bytes(join(path, name), hidden);
      }
    }
  }
  return sum;
}

}  // namespace

Result<std::shared_ptr<FormBody>> FormBody::make(const std::vector<std::string>& paths,
                                                 FormOptions options) {
  std::vector<Root> roots;
  for (const std::string& given : paths) {
    if (is_url(given)) {
      roots.push_back({.name = url_base_name(given), .path = given, .url = true});
      continue;
    }
    if (options.no_copy) {
      return fail(Code::InvalidArgument, "nocopy option is only valid for URLs");
    }
    std::string path = clean_path(given);
    if (given == ".") {
      char real[PATH_MAX];
      if (::realpath(".", real) == nullptr) {
        return fail(Code::Io, "getwd: {}", system_words(errno));
      }
      path = real;
    }
    TRY_VOID(check_root(path, options.recursive));
    roots.push_back({.name = base_name(path), .path = path});
  }
  return std::shared_ptr<FormBody>(new FormBody(std::move(roots), options));
}

FormBody::FormBody(std::vector<Root> roots, FormOptions options)
    : roots_(std::move(roots)), options_(options), boundary_(random_boundary()) {}

FormBody::~FormBody() {
  if (fd_ >= 0) {
    ::close(fd_);
  }
}

std::string FormBody::content_type() const {
  return "multipart/form-data; boundary=" + boundary_;
}

void FormBody::rewind() {
  if (fd_ >= 0) {
    ::close(fd_);
    fd_ = -1;
  }
  web_.reset();
  levels_.clear();
  next_root_ = 0;
  first_ = true;
  ended_ = false;
  sent_ = 0;
}

bool FormBody::has_urls() const {
  return std::any_of(roots_.begin(), roots_.end(), [](const Root& root) { return root.url; });
}

uint64_t FormBody::total_bytes() const {
  uint64_t sum = 0;
  for (const Root& root : roots_) {
    sum += root.url ? 0 : count_bytes(root.path, options_.hidden);
  }
  return sum;
}

std::optional<FormBody::Entry> FormBody::advance() {
  while (!levels_.empty()) {
    Level& level = levels_.back();
    if (level.at < level.entries.size()) {
      const std::string& name = level.entries[level.at++];
      return Entry{.name = join(level.name, name), .path = join(level.path, name)};
    }
    levels_.pop_back();
  }
  if (next_root_ < roots_.size()) {
    const Root& root = roots_[next_root_++];
    return Entry{.name = clean_path(root.name), .path = root.path, .url = root.url};
  }
  return std::nullopt;
}

std::string FormBody::boundary_line(bool last) {
  std::string out = first_ && !last ? "" : "\r\n";
  first_ = false;
  return out + "--" + boundary_ + (last ? "--\r\n" : "\r\n");
}

Result<Bytes> FormBody::begin_local(const Entry& entry) {
  struct stat info {};
  if (::lstat(entry.path.c_str(), &info) != 0) {
    return fail(Code::Io, "lstat {}: {}", entry.path, system_words(errno));
  }
  const std::string parameters = mode_and_time(info);
  if (S_ISDIR(info.st_mode)) {
    TRY(auto names, list_directory(entry.path, options_.hidden));
    levels_.push_back({.path = entry.path, .name = entry.name, .entries = std::move(names)});
    return boundary_line(false) +
           part_headers("", parameters, entry.name, "application/x-directory");
  }
  if (S_ISLNK(info.st_mode)) {
    char target[PATH_MAX];
    const ssize_t size = ::readlink(entry.path.c_str(), target, sizeof target);
    if (size < 0) {
      return fail(Code::Io, "readlink {}: {}", entry.path, system_words(errno));
    }
    return boundary_line(false) + part_headers("", parameters, entry.name, "application/symlink") +
           std::string(target, static_cast<size_t>(size));
  }
  if (!S_ISREG(info.st_mode)) {
    return fail(Code::InvalidArgument, "unrecognized file type for {}: {}", entry.path,
                mode_text(info.st_mode));
  }
  fd_ = ::open(entry.path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd_ < 0) {
    return fail(Code::Io, "open {}: {}", entry.path, system_words(errno));
  }
  fd_path_ = entry.path;
  return boundary_line(false) +
         part_headers(absolute(entry.path), parameters, entry.name, "application/octet-stream");
}

Task<Result<Bytes>> FormBody::begin_url(Entry entry) {
  auto opened = co_await open_web_file(entry.path);
  if (!opened) {
    co_return fail(std::move(opened).error());
  }
  web_ = std::move(*opened);
  co_return boundary_line(false) +
      part_headers(entry.path, "", entry.name, "application/octet-stream");
}

Task<Result<std::optional<Bytes>>> FormBody::next_content() {
  if (web_) {
    CO_TRY(auto piece, co_await web_->read());
    if (!piece) {
      web_.reset();
    }
    co_return piece;
  }
  Bytes piece(kPiece, '\0');
  ssize_t size = 0;
  do {
    size = ::read(fd_, piece.data(), piece.size());
  } while (size < 0 && errno == EINTR);
  if (size < 0) {
    co_return fail(Code::Io, "read {}: {}", fd_path_, system_words(errno));
  }
  if (size == 0) {
    ::close(fd_);
    fd_ = -1;
    co_return std::nullopt;
  }
  piece.resize(static_cast<size_t>(size));
  co_return piece;
}

Task<Result<std::optional<Bytes>>> FormBody::next() {
  if (fd_ >= 0 || web_) {
    CO_TRY(auto piece, co_await next_content());
    if (piece) {
      sent_ += piece->size();
      if (progress_) {
        progress_(sent_);
      }
      co_return piece;
    }
  }
  if (ended_) {
    co_return std::nullopt;
  }
  auto entry = advance();
  if (!entry) {
    ended_ = true;
    co_return boundary_line(true);
  }
  if (entry->url) {
    CO_TRY(auto head, co_await begin_url(std::move(*entry)));
    co_return head;
  }
  CO_TRY(auto head, begin_local(*entry));
  co_return head;
}

}  // namespace ica::ctl
