#include "common/web/router.h"

#include <algorithm>

namespace ica::web {
namespace {

std::vector<std::string> split(std::string_view text, char by) {
  std::vector<std::string> out;
  while (true) {
    const size_t at = text.find(by);
    out.emplace_back(text.substr(0, at));
    if (at == std::string_view::npos) {
      return out;
    }
    text.remove_prefix(at + 1);
  }
}

}  // namespace

size_t Router::add(std::string method, std::string_view pattern) {
  Route route;
  route.method = std::move(method);
  for (const std::string& piece : split(pattern.substr(1), '/')) {
    Segment segment;
    if (piece.size() < 2 || piece.front() != '{') {
      segment.text = piece;
    } else {
      std::string_view inner = std::string_view(piece).substr(1, piece.size() - 2);
      if (inner.ends_with("...")) {
        segment.kind = Segment::Kind::Rest;
        segment.text = inner.substr(0, inner.size() - 3);
      } else if (const size_t colon = inner.find(':'); colon != std::string_view::npos) {
        segment.kind = Segment::Kind::OneOf;
        segment.text = inner.substr(0, colon);
        segment.words = split(inner.substr(colon + 1), '|');
      } else {
        segment.kind = Segment::Kind::One;
        segment.text = inner;
      }
    }
    route.segments.push_back(std::move(segment));
  }
  routes_.push_back(std::move(route));
  return routes_.size() - 1;
}

bool Router::fits(const Route& route, std::string_view path, PathVars& vars) {
  if (path.empty() || path.front() != '/') {
    return false;
  }
  path.remove_prefix(1);
  bool more = true;
  for (const Segment& segment : route.segments) {
    if (!more) {
      return false;
    }
    if (segment.kind == Segment::Kind::Rest) {
      vars[segment.text] = path;
      return true;
    }
    const size_t slash = path.find('/');
    const std::string_view piece = path.substr(0, slash);
    more = slash != std::string_view::npos;
    path = more ? path.substr(slash + 1) : std::string_view();
    switch (segment.kind) {
      case Segment::Kind::Text:
        if (piece != segment.text) {
          return false;
        }
        break;
      case Segment::Kind::OneOf:
        if (std::find(segment.words.begin(), segment.words.end(), piece) == segment.words.end()) {
          return false;
        }
        vars[segment.text] = piece;
        break;
      case Segment::Kind::One:
        if (piece.empty()) {
          return false;
        }
        vars[segment.text] = piece;
        break;
      case Segment::Kind::Rest:
        break;
    }
  }
  return !more;
}

Router::Match Router::match(std::string_view method, std::string_view path) const {
  Match out;
  for (size_t i = 0; i < routes_.size(); ++i) {
    PathVars vars;
    const bool same_path = fits(routes_[i], path, vars);
    if (routes_[i].method == method) {
      if (same_path) {
        return {Outcome::Found, i, std::move(vars)};
      }
      // mux forgets an earlier mismatch as soon as a later route takes the method.
      out.outcome = Outcome::NotFound;
    } else if (same_path) {
      out.outcome = Outcome::MethodNotAllowed;
    }
  }
  return out;
}

}  // namespace ica::web
