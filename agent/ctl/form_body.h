#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "agent/ctl/api_client.h"

namespace ica::http {
class ClientStream;
}

namespace ica::ctl {

struct FormOptions {
  bool recursive = false;  // directories are allowed
  bool hidden = false;     // names that begin with a dot are taken inside directories
  bool no_copy = false;    // only URLs are allowed
};

// The multipart/form-data body of POST /add, read from disk (or from web addresses) while it is
// sent: memory is one directory listing a level and one piece of a file. Every part has the file's
// mode and time, as the reference's client sends them. Thread-safety: one coroutine at a time.
class FormBody : public BodySource {
 public:
  // Looks at every path before anything is sent. The errors have Go's words: "lstat x: no such file
  // or directory".
  static Result<std::shared_ptr<FormBody>> make(const std::vector<std::string>& paths,
                                                FormOptions options);
  ~FormBody() override;

  std::string content_type() const override;
  Task<Result<std::optional<Bytes>>> next() override;
  void rewind() override;

  // Bytes of content in all local files: walks through them.
  uint64_t total_bytes() const;
  bool has_urls() const;
  // Called while sending with the bytes of content that were read.
  void on_progress(std::function<void(uint64_t sent)> callback) { progress_ = std::move(callback); }

 private:
  struct Root {
    std::string name;  // in the form
    std::string path;  // on disk; or the URL
    bool url = false;
  };
  struct Level {  // a directory that is being walked
    std::string path;
    std::string name;
    std::vector<std::string> entries;
    size_t at = 0;
  };
  struct Entry {
    std::string name;
    std::string path;
    bool url = false;
  };

  FormBody(std::vector<Root> roots, FormOptions options);
  std::optional<Entry> advance();
  Result<Bytes> begin_local(const Entry& entry);
  Task<Result<Bytes>> begin_url(Entry entry);
  std::string boundary_line(bool last);
  Task<Result<std::optional<Bytes>>> next_content();

  std::vector<Root> roots_;
  FormOptions options_;
  std::string boundary_;
  size_t next_root_ = 0;
  std::vector<Level> levels_;
  int fd_ = -1;
  std::string fd_path_;
  std::unique_ptr<http::ClientStream> web_;
  bool first_ = true;
  bool ended_ = false;
  uint64_t sent_ = 0;
  std::function<void(uint64_t)> progress_;
};

}  // namespace ica::ctl
