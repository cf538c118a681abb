// loadgen drives a peer's REST API for benches and crash tests. It prints one JSON document.
//
//	loadgen -addr HOST:PORT pin   -connections N -from K -count M     POST /pins/{cid}, cid number K to K+M-1
//	loadgen -addr HOST:PORT unpin -connections N -from K -count M     DELETE /pins/{cid}
//	loadgen -addr HOST:PORT list  -path /pins?filter=error            one streamed listing: lines, first byte, bytes
//	loadgen -addr HOST:PORT ping  -path /id -pause MS                 one GET after the other until standard input ends
//	loadgen -addr HOST:PORT churn -connections N -count M -cids C -state FILE -seed S
//	    (-from K: CIDs of its own) random pins and unpins over C CIDs until M are acknowledged or the peer goes away. FILE holds for each CID
//	    what was last acknowledged and whether a change is in doubt; it is read at the start and written at the end.
//	loadgen -addr HOST:PORT mixed -connections N -seconds S -pause MS  reads and writes on N connections at once
//	loadgen -addr HOST:PORT hold  -connections N -seconds S            N requests that never end
package main

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/base32"
	"encoding/binary"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand"
	"net"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

var lower = base32.NewEncoding("abcdefghijklmnopqrstuvwxyz234567").WithPadding(base32.NoPadding)

// cidOf is a CIDv1 (raw, sha2-256) of a block that exists nowhere.
func cidOf(n int) string {
	var seed [8]byte
	binary.BigEndian.PutUint64(seed[:], uint64(n))
	hash := sha256.Sum256(seed[:])
	return "b" + lower.EncodeToString(append([]byte{1, 0x55, 0x12, 0x20}, hash[:]...))
}

type client struct {
	addr string
	conn net.Conn
	r    *bufio.Reader
}

func (c *client) dial() error {
	conn, err := net.DialTimeout("tcp", c.addr, 10*time.Second)
	if err != nil {
		return err
	}
	c.conn, c.r = conn, bufio.NewReaderSize(conn, 16384)
	return nil
}

// do sends one request without a body and reads the answer: its status. A connection that the server closed
// while idle is opened again once; an error after the request was sent leaves it in doubt.
func (c *client) do(method, target string) (int, error) {
	if c.conn == nil {
		if err := c.dial(); err != nil {
			return 0, err
		}
	}
	c.conn.SetDeadline(time.Now().Add(60 * time.Second))
	request := method + " " + target + " HTTP/1.1\r\nHost: " + c.addr + "\r\nContent-Length: 0\r\n\r\n"
	if _, err := io.WriteString(c.conn, request); err != nil {
		return 0, err
	}
	status, length, chunked, closing, err := c.head()
	if err != nil {
		return 0, err
	}
	if chunked {
		_, err = c.chunks(func([]byte) {})
	} else {
		_, err = c.r.Discard(length)
	}
	if closing || err != nil {
		c.conn.Close()
		c.conn = nil
	}
	return status, err
}

func (c *client) head() (status, length int, chunked, closing bool, err error) {
	line, err := c.r.ReadSlice('\n')
	if err != nil {
		return
	}
	if len(line) < 12 {
		err = errors.New("short status line")
		return
	}
	if status, err = strconv.Atoi(string(line[9:12])); err != nil {
		return
	}
	for {
		if line, err = c.r.ReadSlice('\n'); err != nil {
			return
		}
		text := strings.TrimRight(string(line), "\r\n")
		if text == "" {
			return
		}
		name, value, _ := strings.Cut(text, ":")
		value = strings.TrimSpace(value)
		switch strings.ToLower(name) {
		case "content-length":
			length, _ = strconv.Atoi(value)
		case "transfer-encoding":
			chunked = value == "chunked"
		case "connection":
			closing = strings.EqualFold(value, "close")
		}
	}
}

// chunks reads a chunked body and its trailers.
func (c *client) chunks(sink func([]byte)) (trailers []string, err error) {
	buffer := make([]byte, 32768)
	for {
		line, err := c.r.ReadString('\n')
		if err != nil {
			return nil, err
		}
		n, err := strconv.ParseInt(strings.TrimSpace(line), 16, 64)
		if err != nil {
			return nil, err
		}
		if n == 0 {
			for {
				line, err := c.r.ReadString('\n')
				if err != nil {
					return nil, err
				}
				if line = strings.TrimRight(line, "\r\n"); line == "" {
					return trailers, nil
				}
				trailers = append(trailers, line)
			}
		}
		for n > 0 {
			got, err := c.r.Read(buffer[:min(n, int64(len(buffer)))])
			if err != nil {
				return nil, err
			}
			sink(buffer[:got])
			n -= int64(got)
		}
		if _, err := c.r.Discard(2); err != nil {
			return nil, err
		}
	}
}

func print(v any) {
	json.NewEncoder(os.Stdout).Encode(v)
}

// write runs count requests over the connections and prints the rate and the latencies.
func write(addr, method, query string, connections, from, count int) {
	targets := make([]string, count)
	for i := range targets {
		targets[i] = "/pins/" + cidOf(from+i) + query
	}
	var next, errs atomic.Int64
	var firstError atomic.Value
	latencies := make([]time.Duration, count)
	var wg sync.WaitGroup
	begin := time.Now()
	for range connections {
		wg.Add(1)
		go func() {
			defer wg.Done()
			c := &client{addr: addr}
			for {
				i := int(next.Add(1)) - 1
				if i >= count {
					return
				}
				start := time.Now()
				status, err := c.do(method, targets[i])
				latencies[i] = time.Since(start)
				if err != nil || status != 200 {
					errs.Add(1)
					firstError.CompareAndSwap(nil, fmt.Sprint(status, " ", err))
					c.conn = nil
				}
			}
		}()
	}
	wg.Wait()
	seconds := time.Since(begin).Seconds()
	took := quantiles(latencies)
	print(map[string]any{"count": count, "seconds": seconds, "per_second": float64(count) / seconds, "errors": errs.Load(),
		"first_error": firstError.Load(), "p50_ms": took["p50"], "p99_ms": took["p99"], "max_ms": took["max"]})
}

// ping asks for one path again and again, pausing in between: is the API responsive meanwhile?
func ping(addr, path string, pause time.Duration) {
	ended := make(chan struct{})
	go func() {
		io.Copy(io.Discard, os.Stdin)
		close(ended)
	}()
	c := &client{addr: addr}
	var took []time.Duration
	var firstError any
	for {
		select {
		case <-ended:
			print(map[string]any{"count": len(took), "error": firstError, "took_ms": quantiles(took)})
			return
		case <-time.After(pause):
		}
		start := time.Now()
		status, err := c.do("GET", path)
		took = append(took, time.Since(start))
		if err != nil || status != 200 {
			c.conn = nil
			if firstError == nil {
				firstError = fmt.Sprint(status, " ", err)
			}
		}
	}
}

func list(addr, path string) {
	c := &client{addr: addr}
	if err := c.dial(); err != nil {
		print(map[string]any{"error": err.Error()})
		os.Exit(1)
	}
	begin := time.Now()
	io.WriteString(c.conn, "GET "+path+" HTTP/1.1\r\nHost: "+addr+"\r\n\r\n")
	status, length, chunked, _, err := c.head()
	first := time.Since(begin)
	lines, size := 0, 0
	seen := false
	sink := func(b []byte) {
		if !seen {
			first, seen = time.Since(begin), true
		}
		size += len(b)
		lines += bytes.Count(b, []byte{'\n'})
	}
	var trailers []string
	if err == nil && chunked {
		trailers, err = c.chunks(sink)
	} else if err == nil {
		_, err = io.CopyN(io.Discard, c.r, int64(length))
	}
	seconds := time.Since(begin).Seconds()
	result := map[string]any{"status": status, "lines": lines, "bytes": size, "first_byte_ms": float64(first.Microseconds()) / 1000,
		"seconds": seconds, "lines_per_second": float64(lines) / seconds, "trailers": trailers}
	if err != nil {
		result["error"] = err.Error()
	}
	print(result)
}

// entry is what the crash test knows of one CID. Seq is carried as the pin's name, so that an older version
// which comes back after a crash is seen.
type entry struct {
	Pinned bool   `json:"pinned"`
	Seq    int    `json:"seq"`
	Doubt  bool   `json:"doubt"`           // a change was sent and never answered
	Sent   int    `json:"sent,omitempty"`  // its number
	Unpin  bool   `json:"unpin,omitempty"` // and kind
	Cid    string `json:"cid"`
}

func churn(addr string, connections, from, count, cids int, path string, seed int64) {
	entries := make([]entry, cids)
	if data, err := os.ReadFile(path); err == nil {
		if err := json.Unmarshal(data, &entries); err != nil {
			panic(err)
		}
	} else {
		for i := range entries {
			entries[i].Cid = cidOf(1_000_000_000 + from + i)
		}
	}
	seq := 0
	for _, e := range entries {
		seq = max(seq, e.Seq, e.Sent)
	}
	var acknowledged, refused, number atomic.Int64
	number.Store(int64(seq))
	var unexpected atomic.Value
	var wg sync.WaitGroup
	begin := time.Now()
	for n := range connections {
		wg.Add(1)
		go func() {
			defer wg.Done()
			c := &client{addr: addr}
			random := rand.New(rand.NewSource(seed*1000 + int64(n)))
			// Each connection owns its CIDs, so the order of the changes to one is known.
			for int(acknowledged.Load()) < count {
				i := n + connections*random.Intn((cids-n+connections-1)/connections)
				e := &entries[i]
				if e.Doubt {
					continue // settled by the check after the restart
				}
				unpin := e.Pinned && random.Intn(2) == 0
				sent := int(number.Add(1))
				method, target := "POST", "/pins/"+e.Cid+"?name="+strconv.Itoa(sent)
				if unpin {
					method, target = "DELETE", "/pins/"+e.Cid
				}
				if c.conn == nil && c.dial() != nil {
					return // never sent
				}
				status, err := c.do(method, target)
				if err != nil {
					e.Doubt, e.Sent, e.Unpin = true, sent, unpin
					return
				}
				if status == 429 {
					refused.Add(1)
					continue
				}
				if status != 200 {
					unexpected.CompareAndSwap(nil, fmt.Sprintf("%s %s: status %d", method, target, status))
					return
				}
				e.Pinned, e.Seq = !unpin, sent
				acknowledged.Add(1)
			}
		}()
	}
	wg.Wait()
	data, _ := json.Marshal(entries)
	if err := os.WriteFile(path, data, 0o644); err != nil {
		panic(err)
	}
	print(map[string]any{"acknowledged": acknowledged.Load(), "refused": refused.Load(), "seconds": time.Since(begin).Seconds(),
		"unexpected": unexpected.Load()})
}

func main() {
	addr := flag.String("addr", "127.0.0.1:9094", "REST API of the peer")
	flag.Parse()
	if flag.NArg() == 0 {
		flag.Usage()
		os.Exit(2)
	}
	set := flag.NewFlagSet(flag.Arg(0), flag.ExitOnError)
	connections := set.Int("connections", 32, "")
	from := set.Int("from", 0, "")
	count := set.Int("count", 1000, "")
	cids := set.Int("cids", 2000, "")
	path := set.String("path", "/allocations", "")
	query := set.String("query", "", "appended to the target, with its ?")
	state := set.String("state", "state.json", "")
	seed := set.Int64("seed", 1, "")
	seconds := set.Int("seconds", 60, "")
	pause := set.Int("pause", 1000, "milliseconds between the calls of a connection")
	set.Parse(flag.Args()[1:])
	switch flag.Arg(0) {
	case "pin":
		write(*addr, "POST", *query, *connections, *from, *count)
	case "unpin":
		write(*addr, "DELETE", *query, *connections, *from, *count)
	case "list":
		list(*addr, *path)
	case "ping":
		ping(*addr, *path, time.Duration(*pause)*time.Millisecond)
	case "churn":
		churn(*addr, *connections, *from, *count, *cids, *state, *seed)
	case "mixed":
		mixed(*addr, *connections, *seconds, *pause, *cids, *seed)
	case "hold":
		hold(*addr, *connections, *seconds)
	default:
		flag.Usage()
		os.Exit(2)
	}
}
