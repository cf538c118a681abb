package main

import (
	"fmt"
	"math/rand"
	"net"
	"sort"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

type sample struct {
	read bool
	took time.Duration
}

// quantiles gives milliseconds that a part of the calls did not exceed; it sorts them.
func quantiles(all []time.Duration) map[string]float64 {
	sort.Slice(all, func(i, j int) bool { return all[i] < all[j] })
	out := map[string]float64{}
	if len(all) == 0 {
		return out
	}
	for name, q := range map[string]float64{"p50": 0.5, "p90": 0.9, "p99": 0.99, "max": 1} {
		out[name] = float64(all[int(q*float64(len(all)-1))].Microseconds()) / 1000
	}
	return out
}

// mixed keeps n connections open, each with one call at a time and a pause before the next: nine reads of ten,
// one write. A read is timed from its first byte sent to its last byte received.
func mixed(addr string, n, seconds, pause, cids int, seed int64) {
	var tooMany, failed atomic.Int64
	var first atomic.Value
	samples := make([][]sample, n)
	begin := time.Now()
	end := begin.Add(time.Duration(seconds) * time.Second)
	var wait sync.WaitGroup
	for i := range n {
		wait.Add(1)
		go func() {
			defer wait.Done()
			random := rand.New(rand.NewSource(seed + int64(i)))
			c := &client{addr: addr}
			// Not all at the same moment.
			time.Sleep(time.Duration(random.Intn(pause+1)) * time.Millisecond)
			for time.Now().Before(end) {
				cid := cidOf(random.Intn(cids))
				method, target := "GET", ""
				switch random.Intn(10) {
				case 0:
					method, target = "POST", "/pins/"+cid+"?name=crowd"
				case 1, 2:
					target = "/id"
				case 3, 4, 5:
					target = "/allocations/" + cid
				case 6, 7:
					target = "/pins/" + cid
				case 8:
					target = "/pins?filter=error"
				case 9:
					target = "/monitor/metrics/ping"
				}
				start := time.Now()
				status, err := c.do(method, target)
				took := time.Since(start)
				switch {
				case status == 429:
					tooMany.Add(1)
				case err != nil || (status >= 400 && status != 404):
					failed.Add(1)
					first.CompareAndSwap(nil, fmt.Sprintf("%s %s: %d %v", method, target, status, err))
				default:
					samples[i] = append(samples[i], sample{method == "GET", took})
				}
				time.Sleep(time.Duration(pause/2+random.Intn(pause+1)) * time.Millisecond)
			}
		}()
	}
	wait.Wait()
	var reads, writes []time.Duration
	for _, list := range samples {
		for _, s := range list {
			if s.read {
				reads = append(reads, s.took)
			} else {
				writes = append(writes, s.took)
			}
		}
	}
	calls := len(reads) + len(writes)
	print(map[string]any{"calls": calls, "per_second": float64(calls) / time.Since(begin).Seconds(), "reads": quantiles(reads),
		"writes": quantiles(writes), "too_many": tooMany.Load(), "errors": failed.Load(), "first_error": first.Load()})
}

// hold opens n connections, sends the beginning of a request on each and never ends one; a connection that the
// peer closes is opened again. Prints {"open": n} once all are there, and runs for the given time.
func hold(addr string, n, seconds int) {
	var open atomic.Int64
	var once sync.Once
	end := time.Now().Add(time.Duration(seconds) * time.Second)
	var wait sync.WaitGroup
	for range n {
		wait.Add(1)
		go func() {
			defer wait.Done()
			for time.Now().Before(end) {
				conn, err := net.DialTimeout("tcp", addr, 10*time.Second)
				if err != nil {
					time.Sleep(50 * time.Millisecond)
					continue
				}
				fmt.Fprint(conn, "POST /add HTTP/1.1\r\nHost: x\r\nX-Never: "+strings.Repeat("n", 100))
				if open.Add(1) == int64(n) {
					once.Do(func() { print(map[string]any{"open": n}) })
				}
				conn.SetReadDeadline(end)
				conn.Read(make([]byte, 1)) // until the peer has had enough
				open.Add(-1)
				conn.Close()
			}
		}()
	}
	wait.Wait()
}
