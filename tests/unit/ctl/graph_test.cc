#include "agent/ctl/graph.h"

#include <doctest/doctest.h>

namespace ica::ctl {

TEST_CASE("untrusted peers, a Kubo that failed, Kubos outside of the cluster") {
  const char* json =
      R"({"cluster_id":"12D3KooWSELF01","id_to_peername":{"12D3KooWSELF01":"me","12D3KooWOTHER2":"you"},
    "ipfs_links":{"12D3KooWIPFS01":["12D3KooWFAR001"]},
    "cluster_links":{"12D3KooWSELF01":["12D3KooWOTHER2"],"12D3KooWOTHER2":[]},
    "cluster_trust_links":{"12D3KooWOTHER2":false},"cluster_to_ipfs":{"12D3KooWSELF01":"12D3KooWIPFS01"}})";
  const std::string dot = make_dot(json, false);
  CHECK(dot.find("C0 [label=< <B> you </B> <BR/> <B> 12*OTHER2 </B> > group=\"12D3KooWOTHER2\" "
                 "color=\"darkorange3\"") != std::string::npos);
  CHECK(dot.find("shape=\"box3d\" peripheries=\"2\" ]\n") != std::string::npos);
  CHECK(dot.find("\nC1 -> C0\n") != std::string::npos);
  CHECK(dot.find("\nC1 -> I0\n") != std::string::npos);
  CHECK(dot.find("\nC0 -> I1 [ style=\"dotted\" ]\n") != std::string::npos);
  CHECK(dot.find("FAR001") == std::string::npos);
  CHECK(dot.ends_with("cluster */\n}"));
  const std::string all = make_dot(json, true);
  CHECK(all.find("I0 [label=< <B> IPFS </B> <BR/> <B> 12*FAR001 </B> >") != std::string::npos);
  CHECK(all.find("\nI1 -> I0\n") != std::string::npos);
}

TEST_CASE("an empty graph") {
  CHECK(make_dot("{}", false).starts_with("digraph cluster {\n"));
  CHECK(make_dot("null", true).ends_with("}"));
}

}  // namespace ica::ctl
