// fakekubo stands in for Kubo's RPC API where a test needs one that answers at once, or misbehaves on command.
// It speaks HTTP/1.1 by hand, so that it costs the machine little beside the peer that is being measured.
package main

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

const peerID = "12D3KooWQZmA893ZpgsnjTWEH1rpaZ1E461d8A6cjq4MWERBdsmC"

type kubo struct {
	mode  atomic.Value // ok, hang, error, half, refusepins
	delay atomic.Int64 // nanoseconds before each pin/add is answered

	mu    sync.Mutex
	pins  map[string]string // CID -> recursive or direct
	calls map[string]int64
	state *os.File
}

func (k *kubo) record(sign, cid, kind string) {
	if k.state != nil {
		fmt.Fprintf(k.state, "%s %s %s\n", sign, cid, kind)
	}
}

func (k *kubo) load(path string) error {
	if data, err := os.ReadFile(path); err == nil {
		for _, line := range strings.Split(string(data), "\n") {
			if f := strings.Fields(line); len(f) == 3 && f[0] == "+" {
				k.pins[f[1]] = f[2]
			} else if len(f) == 3 {
				delete(k.pins, f[1])
			}
		}
	}
	file, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	k.state = file
	return err
}

func failure(message string) (int, string) {
	text, _ := json.Marshal(message)
	return 500, `{"Message":` + string(text) + `,"Code":0,"Type":"error"}` + "\n"
}

func strip(arg string) string {
	return strings.TrimPrefix(arg, "/ipfs/")
}

// answer gives status and body of one command; the listing is written by list.
func (k *kubo) answer(command string, q url.Values, body []byte, contentType string) (int, string) {
	arg := strip(q.Get("arg"))
	k.mu.Lock()
	defer k.mu.Unlock()
	switch command {
	case "id":
		return 200, `{"ID":"` + peerID + `","PublicKey":"","Addresses":["/ip4/127.0.0.1/tcp/4001/p2p/` + peerID +
			`"],"AgentVersion":"kubo/0.43.0/","Protocols":[]}` + "\n"
	case "version":
		return 200, `{"Version":"0.43.0","Commit":"","Repo":"18","System":"amd64/linux","Golang":"go1.26"}` + "\n"
	case "pin/ls":
		kind, ok := k.pins[arg]
		if want := q.Get("type"); !ok || (want != "" && want != "all" && want != kind) {
			return failure("path '" + arg + "' is not pinned")
		}
		if q.Get("stream") == "true" {
			return 200, `{"Cid":"` + arg + `","Type":"` + kind + `"}` + "\n"
		}
		return 200, `{"Keys":{"` + arg + `":{"Type":"` + kind + `"}}}` + "\n"
	case "pin/add":
		kind := "recursive"
		if q.Get("recursive") == "false" {
			kind = "direct"
		}
		k.pins[arg] = kind
		k.record("+", arg, kind)
		if q.Get("progress") == "true" {
			return 200, `{"Progress":1,"Bytes":11}` + "\n" + `{"Pins":["` + arg + `"]}` + "\n"
		}
		return 200, `{"Pins":["` + arg + `"]}` + "\n"
	case "pin/rm":
		if _, ok := k.pins[arg]; !ok {
			return failure("not pinned or pinned indirectly")
		}
		delete(k.pins, arg)
		k.record("-", arg, "any")
		return 200, `{"Pins":["` + arg + `"]}` + "\n"
	case "pin/update":
		args := q["arg"]
		if len(args) != 2 {
			return failure("argument \"to-path\" is required")
		}
		from, to := strip(args[0]), strip(args[1])
		if k.pins[from] != "recursive" {
			return failure("'from' cid was not recursively pinned already")
		}
		k.pins[to] = "recursive"
		k.record("+", to, "recursive")
		if q.Get("unpin") != "false" {
			delete(k.pins, from)
			k.record("-", from, "any")
		}
		return 200, `{"Pins":["` + from + `","` + to + `"]}` + "\n"
	case "repo/stat":
		return 200, fmt.Sprintf(`{"RepoSize":%d,"StorageMax":10000000000,"NumObjects":%d,"RepoPath":"","Version":"fs-repo@18"}`+"\n",
			1000*len(k.pins), len(k.pins))
	case "repo/gc":
		return 200, ""
	case "swarm/peers":
		return 200, `{"Peers":null}` + "\n"
	case "swarm/connect":
		return 200, `{"Strings":["connect success"]}` + "\n"
	case "config/show":
		return 200, `{"Datastore":{"StorageMax":"10GB"}}` + "\n"
	case "resolve":
		return 200, `{"Path":"/ipfs/` + strings.SplitN(arg, "/", 2)[0] + `"}` + "\n"
	case "block/put":
		// Each part's file name is the CID that the sender expects.
		out := ""
		for _, piece := range strings.Split(string(body), `filename="`)[1:] {
			name, _ := url.PathUnescape(strings.SplitN(piece, `"`, 2)[0])
			out += `{"Key":"` + name + `","Size":1}` + "\n"
		}
		return 200, out
	case "dag/import":
		return 200, fmt.Sprintf(`{"Stats":{"BlockCount":%d,"BlockBytesCount":%d}}`+"\n", carSections(body)-1, len(body))
	}
	return 404, "404 page not found\n"
}

// carSections counts the length-prefixed pieces, the header among them, of the archive in a multipart body.
func carSections(body []byte) int {
	_, rest, _ := bytes.Cut(body, []byte("\r\n\r\n"))
	n := 0
	for len(rest) > 0 && !bytes.HasPrefix(rest, []byte("\r\n--")) {
		size, used := binary.Uvarint(rest)
		if used <= 0 || size > uint64(len(rest)-used) {
			return 0
		}
		rest = rest[used+int(size):]
		n++
	}
	return n
}

// list writes every pin of a type as one chunked stream.
func (k *kubo) list(w *bufio.Writer, kind string) {
	k.mu.Lock()
	cids := make([]string, 0, len(k.pins))
	for cid, have := range k.pins {
		if kind == "" || kind == "all" || kind == have {
			cids = append(cids, cid+"\",\"Type\":\""+have)
		}
	}
	k.mu.Unlock()
	w.WriteString("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTrailer: X-Stream-Error\r\nTransfer-Encoding: chunked\r\n\r\n")
	for len(cids) > 0 {
		n := min(len(cids), 256)
		var b strings.Builder
		for _, cid := range cids[:n] {
			b.WriteString(`{"Cid":"` + cid + "\"}\n")
		}
		cids = cids[n:]
		fmt.Fprintf(w, "%x\r\n%s\r\n", b.Len(), b.String())
	}
	w.WriteString("0\r\n\r\n")
}

func readBody(r *bufio.Reader, length int64, chunked bool) ([]byte, error) {
	if !chunked {
		if length == 0 {
			return nil, nil
		}
		body := make([]byte, length)
		_, err := io.ReadFull(r, body)
		return body, err
	}
	var body []byte
	for {
		line, err := r.ReadString('\n')
		if err != nil {
			return nil, err
		}
		n, err := strconv.ParseInt(strings.TrimSpace(strings.SplitN(line, ";", 2)[0]), 16, 64)
		if err != nil {
			return nil, err
		}
		if n == 0 {
			_, err = r.ReadString('\n')
			return body, err
		}
		piece := make([]byte, n+2)
		if _, err := io.ReadFull(r, piece); err != nil {
			return nil, err
		}
		body = append(body, piece[:n]...)
	}
}

func (k *kubo) serve(c net.Conn) {
	defer c.Close()
	r, w := bufio.NewReaderSize(c, 8192), bufio.NewWriterSize(c, 8192)
	for {
		first, err := r.ReadString('\n')
		if err != nil {
			return
		}
		fields := strings.Fields(first)
		if len(fields) != 3 {
			return
		}
		var length int64
		chunked, last, contentType := false, fields[2] == "HTTP/1.0", ""
		for {
			line, err := r.ReadString('\n')
			if err != nil {
				return
			}
			line = strings.TrimRight(line, "\r\n")
			if line == "" {
				break
			}
			name, value, _ := strings.Cut(line, ":")
			value = strings.TrimSpace(value)
			switch strings.ToLower(name) {
			case "content-length":
				length, _ = strconv.ParseInt(value, 10, 64)
			case "transfer-encoding":
				chunked = strings.EqualFold(value, "chunked")
			case "connection":
				last = last || strings.EqualFold(value, "close")
			case "content-type":
				contentType = value
			case "expect":
				w.WriteString("HTTP/1.1 100 Continue\r\n\r\n")
				w.Flush()
			}
		}
		body, err := readBody(r, length, chunked)
		if err != nil {
			return
		}
		target, query, _ := strings.Cut(fields[1], "?")
		command := strings.TrimPrefix(target, "/api/v0/")
		q, _ := url.ParseQuery(query)
		k.mu.Lock()
		k.calls[command]++
		k.mu.Unlock()
		switch k.mode.Load().(string) {
		case "hang":
			// Nothing until the mode changes; the caller may give up meanwhile.
			for k.mode.Load().(string) == "hang" {
				time.Sleep(20 * time.Millisecond)
			}
			return
		case "error":
			_, text := failure("the stand-in was told to fail")
			fmt.Fprintf(w, "HTTP/1.1 500 Internal Server Error\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", len(text), text)
			w.Flush()
			continue
		case "half":
			w.WriteString("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n8\r\n{\"Cid\":\"\r\n")
			w.Flush()
			return
		}
		if k.mode.Load().(string) == "refusepins" && command == "pin/add" {
			_, text := failure("block was not found locally (offline)")
			fmt.Fprintf(w, "HTTP/1.1 500 Internal Server Error\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", len(text), text)
			if w.Flush() != nil {
				return
			}
			continue
		}
		if command == "pin/ls" && q.Get("arg") == "" {
			k.list(w, q.Get("type"))
		} else {
			if d := k.delay.Load(); d > 0 && command == "pin/add" {
				time.Sleep(time.Duration(d))
			}
			status, text := k.answer(command, q, body, contentType)
			reason := "OK"
			if status != 200 {
				reason = "Error"
			}
			w.WriteString("HTTP/1.1 " + strconv.Itoa(status) + " " + reason + "\r\nContent-Type: application/json\r\nContent-Length: " +
				strconv.Itoa(len(text)) + "\r\n\r\n")
			w.WriteString(text)
		}
		if r.Buffered() == 0 || last {
			if w.Flush() != nil || last {
				return
			}
		}
	}
}

func (k *kubo) control(w http.ResponseWriter, r *http.Request) {
	k.mu.Lock()
	defer k.mu.Unlock()
	switch r.URL.Path {
	case "/mode":
		k.mode.Store(r.URL.Query().Get("set"))
	case "/delay":
		d, err := time.ParseDuration(r.URL.Query().Get("set"))
		if err != nil {
			http.Error(w, err.Error(), 400)
			return
		}
		k.delay.Store(int64(d))
	case "/forget":
		cid := r.URL.Query().Get("cid")
		delete(k.pins, cid)
		k.record("-", cid, "any")
	case "/stats":
		json.NewEncoder(w).Encode(k.calls)
	case "/pins":
		cids := make([]string, 0, len(k.pins))
		for cid := range k.pins {
			cids = append(cids, cid)
		}
		json.NewEncoder(w).Encode(cids)
	default:
		http.NotFound(w, r)
	}
}

func main() {
	listen := flag.String("listen", "127.0.0.1:5001", "address of the RPC API")
	control := flag.String("control", "127.0.0.1:5002", "address of /mode?set=, /delay?set=, /forget?cid=, /stats, /pins")
	state := flag.String("state", "", "file that keeps the pins over a restart")
	flag.Parse()
	k := &kubo{pins: map[string]string{}, calls: map[string]int64{}}
	k.mode.Store("ok")
	if *state != "" {
		if err := k.load(*state); err != nil {
			log.Fatal(err)
		}
	}
	l, err := net.Listen("tcp", *listen)
	if err != nil {
		log.Fatal(err)
	}
	go func() { log.Fatal(http.ListenAndServe(*control, http.HandlerFunc(k.control))) }()
	for {
		c, err := l.Accept()
		if err != nil {
			log.Fatal(err)
		}
		go k.serve(c)
	}
}
