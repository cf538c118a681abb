// Writes allocations.json: what the reference's balanced allocator makes of random metrics.
//
//	go run ./allocations > ../../vectors/allocations.json
//
// Weights differ within a case: the reference leaves the order of equal ones to chance.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand"
	"os"
	"time"

	"github.com/ipfs-cluster/ipfs-cluster/allocator/balanced"
	"github.com/ipfs-cluster/ipfs-cluster/api"
	peer "github.com/libp2p/go-libp2p/core/peer"
)

type testCase struct {
	By       []string            `json:"by"`
	Tags     map[string][]string `json:"tags,omitempty"` // by metric, then by peer
	Weights  map[string][]int64  `json:"weights"`
	Priority []int               `json:"priority,omitempty"`
	Order    []int               `json:"order"`
}

func metric(name string, p peer.ID) api.Metric {
	m := api.Metric{Name: name, Peer: p, Valid: true}
	m.SetTTL(time.Hour)
	return m
}

func makeCase(r *rand.Rand) testCase {
	n := 1 + r.Intn(10)
	out := testCase{Tags: map[string][]string{}, Weights: map[string][]int64{}}
	levels := r.Intn(4)
	for l := 0; l < levels; l++ {
		out.By = append(out.By, fmt.Sprintf("tag:%c", 'a'+l))
	}
	last := []string{"freespace", "pinqueue", "reposize"}[r.Intn(3)]
	out.By = append(out.By, last)
	if r.Intn(6) == 0 { // a plain metric in front of another one
		out.By = append([]string{"numpin"}, out.By...)
	}
	set := map[string][]api.Metric{}
	for _, name := range out.By {
		if len(name) > 4 && name[:4] == "tag:" {
			values := 1 + r.Intn(4)
			for p := 0; p < n; p++ {
				m := metric(name, peer.ID(fmt.Sprintf("p%d", p)))
				m.Value = fmt.Sprintf("v%d", r.Intn(values))
				m.Partitionable = true
				out.Tags[name] = append(out.Tags[name], m.Value)
				set[name] = append(set[name], m)
			}
			continue
		}
		for p, rank := range r.Perm(n) {
			m := metric(name, peer.ID(fmt.Sprintf("p%d", p)))
			m.Weight = int64(rank+1)*1000 + int64(r.Intn(900))
			if last != "freespace" {
				m.Weight = -m.Weight
			}
			m.Value = fmt.Sprint(m.Weight)
			out.Weights[name] = append(out.Weights[name], m.Weight)
			set[name] = append(set[name], m)
		}
	}
	wished := map[peer.ID]bool{}
	if r.Intn(3) == 0 {
		for p := 0; p < n; p++ {
			if r.Intn(3) == 0 {
				out.Priority = append(out.Priority, p)
				wished[peer.ID(fmt.Sprintf("p%d", p))] = true
			}
		}
	}
	candidates, priority := api.MetricsSet{}, api.MetricsSet{}
	for name, metrics := range set {
		for _, m := range metrics {
			if wished[m.Peer] {
				priority[name] = append(priority[name], m)
			} else {
				candidates[name] = append(candidates[name], m)
			}
		}
	}
	cfg := &balanced.Config{}
	cfg.Default()
	cfg.AllocateBy = out.By
	a, err := balanced.New(cfg)
	if err != nil {
		panic(err)
	}
	order, err := a.Allocate(context.Background(), api.CidUndef, nil, candidates, priority)
	if err != nil {
		panic(err)
	}
	for _, p := range order {
		var i int
		fmt.Sscanf(string(p), "p%d", &i)
		out.Order = append(out.Order, i)
	}
	return out
}

func main() {
	r := rand.New(rand.NewSource(20))
	cases := []testCase{}
	for i := 0; i < 2000; i++ {
		cases = append(cases, makeCase(r))
	}
	fmt.Println("[")
	for i, c := range cases {
		line, err := json.Marshal(c)
		if err != nil {
			panic(err)
		}
		os.Stdout.Write(line)
		if i+1 < len(cases) {
			fmt.Print(",")
		}
		fmt.Println()
	}
	fmt.Println("]")
}
