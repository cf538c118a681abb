// Command crdtpeers runs replicas of go-ds-crdt, driven line by line: a JSON object on standard input is
// answered by one on standard output. Nothing in it depends on time, so a history can be replayed.
//
//	{"op":"reset","peers":3}                     new, empty replicas with one shared block store
//	{"op":"block","data":HEX}                    a block that another program made -> {"cid":HEX}
//	{"op":"write","peer":0,"ops":[{"k":"/A","v":HEX},{"k":"/B"}],"batch":true}
//	                                             puts and (without v) deletes -> {"blocks":[HEX...]}
//	{"op":"deliver","peer":0,"message":HEX,"missing":[HEX...]}
//	                                             a broadcast; blocks with the CIDs in missing cannot be had
//	{"op":"restart","peer":0}
//	{"op":"repair","peer":0}                     as after a walk that was cut short
//	{"op":"state","peer":0}                      -> {"values":{"/A":[HEX,priority]},"heads":[CID HEX...]}
package main

import (
	"bufio"
	"context"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"time"

	dag "github.com/ipfs/boxo/ipld/merkledag"
	blocks "github.com/ipfs/go-block-format"
	"github.com/ipfs/go-cid"
	ds "github.com/ipfs/go-datastore"
	"github.com/ipfs/go-datastore/query"
	dssync "github.com/ipfs/go-datastore/sync"
	crdt "github.com/ipfs/go-ds-crdt"
	ipld "github.com/ipfs/go-ipld-format"
	logging "github.com/ipfs/go-log/v2"
)

var namespace = ds.NewKey("/c")

// shared is the block store of all peers.
type shared struct {
	mu     sync.Mutex
	blocks map[cid.Cid][]byte
}

// service is what one peer sees of it.
type service struct {
	all     *shared
	mu      sync.Mutex
	missing map[cid.Cid]bool
	added   [][]byte
}

func (s *service) Get(_ context.Context, c cid.Cid) (ipld.Node, error) {
	s.mu.Lock()
	missing := s.missing[c]
	s.mu.Unlock()
	s.all.mu.Lock()
	data, ok := s.all.blocks[c]
	s.all.mu.Unlock()
	if !ok || missing {
		return nil, ipld.ErrNotFound{Cid: c}
	}
	block, err := blocks.NewBlockWithCid(data, c)
	if err != nil {
		return nil, err
	}
	return dag.DecodeProtobufBlock(block)
}

func (s *service) GetMany(ctx context.Context, cids []cid.Cid) <-chan *ipld.NodeOption {
	out := make(chan *ipld.NodeOption, len(cids))
	for _, c := range cids {
		node, err := s.Get(ctx, c)
		out <- &ipld.NodeOption{Node: node, Err: err}
	}
	close(out)
	return out
}

func (s *service) Add(_ context.Context, node ipld.Node) error {
	s.all.mu.Lock()
	s.all.blocks[node.Cid()] = node.RawData()
	s.all.mu.Unlock()
	s.mu.Lock()
	s.added = append(s.added, node.RawData())
	s.mu.Unlock()
	return nil
}

func (s *service) AddMany(ctx context.Context, nodes []ipld.Node) error {
	for _, node := range nodes {
		if err := s.Add(ctx, node); err != nil {
			return err
		}
	}
	return nil
}

func (s *service) Remove(context.Context, cid.Cid) error       { return errors.New("not used") }
func (s *service) RemoveMany(context.Context, []cid.Cid) error { return errors.New("not used") }

// courier hands over one broadcast at a time. The store asks for the next one only when it has
// worked through the last.
type courier struct {
	in   chan []byte
	idle chan struct{}
}

func (c *courier) Broadcast(context.Context, []byte) error { return nil }

func (c *courier) Next(ctx context.Context) ([]byte, error) {
	select {
	case c.idle <- struct{}{}:
	case <-ctx.Done():
		return nil, crdt.ErrNoMoreBroadcast
	}
	select {
	case message := <-c.in:
		return message, nil
	case <-ctx.Done():
		return nil, crdt.ErrNoMoreBroadcast
	}
}

type peer struct {
	disk    ds.Datastore
	service *service
	courier *courier
	store   *crdt.Datastore
}

func (p *peer) start() error {
	p.courier = &courier{in: make(chan []byte), idle: make(chan struct{})}
	options := crdt.DefaultOptions()
	options.NumWorkers = 1
	options.RepairInterval = 0
	options.RebroadcastInterval = 24 * time.Hour
	store, err := crdt.New(p.disk, namespace, p.service, p.courier, options)
	if err != nil {
		return err
	}
	p.store = store
	<-p.courier.idle
	return nil
}

func (p *peer) deliver(message []byte) {
	p.courier.in <- message
	<-p.courier.idle
}

type operation struct {
	Key   string  `json:"k"`
	Value *string `json:"v"`
}

type request struct {
	Op      string      `json:"op"`
	Peers   int         `json:"peers"`
	Peer    int         `json:"peer"`
	Data    string      `json:"data"`
	Ops     []operation `json:"ops"`
	Batch   bool        `json:"batch"`
	Message string      `json:"message"`
	Missing []string    `json:"missing"`
}

type answer struct {
	Error  string         `json:"error,omitempty"`
	Cid    string         `json:"cid,omitempty"`
	Blocks []string       `json:"blocks,omitempty"`
	Values map[string]any `json:"values,omitempty"`
	Heads  []string       `json:"heads,omitempty"`
}

type world struct {
	all   *shared
	peers []*peer
}

func (w *world) reset(n int) error {
	for _, p := range w.peers {
		if err := p.store.Close(); err != nil {
			return err
		}
	}
	w.all = &shared{blocks: map[cid.Cid][]byte{}}
	w.peers = nil
	for i := 0; i < n; i++ {
		p := &peer{disk: dssync.MutexWrap(ds.NewMapDatastore()), service: &service{all: w.all}}
		if err := p.start(); err != nil {
			return err
		}
		w.peers = append(w.peers, p)
	}
	return nil
}

func (p *peer) write(ctx context.Context, ops []operation, batched bool) ([]string, error) {
	p.service.added = nil
	var target ds.Write = p.store
	var batch ds.Batch
	if batched {
		var err error
		if batch, err = p.store.Batch(ctx); err != nil {
			return nil, err
		}
		target = batch
	}
	for _, op := range ops {
		key := ds.NewKey(op.Key)
		if op.Value == nil {
			if err := target.Delete(ctx, key); err != nil {
				return nil, err
			}
			continue
		}
		value, err := hex.DecodeString(*op.Value)
		if err != nil {
			return nil, err
		}
		if err := target.Put(ctx, key, value); err != nil {
			return nil, err
		}
	}
	if batch != nil {
		if err := batch.Commit(ctx); err != nil {
			return nil, err
		}
	}
	var made []string
	for _, block := range p.service.added {
		made = append(made, hex.EncodeToString(block))
	}
	return made, nil
}

func (p *peer) state(ctx context.Context) (map[string]any, []string, error) {
	results, err := p.disk.Query(ctx, query.Query{Prefix: namespace.String()})
	if err != nil {
		return nil, nil, err
	}
	entries, err := results.Rest()
	if err != nil {
		return nil, nil, err
	}
	values := map[string]any{}
	var heads []string
	for _, entry := range entries {
		key := strings.TrimPrefix(entry.Key, namespace.String())
		switch {
		case strings.HasPrefix(key, "/h/"):
			heads = append(heads, key[len("/h"):])
		case strings.HasPrefix(key, "/s/k/") && strings.HasSuffix(key, "/v"):
			name := strings.TrimSuffix(key[len("/s/k"):], "/v")
			priority, err := p.disk.Get(ctx, ds.NewKey(strings.TrimSuffix(entry.Key, "/v")+"/p"))
			if err != nil {
				return nil, nil, err
			}
			number, n := binary.Uvarint(priority)
			if n <= 0 {
				return nil, nil, errors.New("a bad priority")
			}
			values[name] = []any{hex.EncodeToString(entry.Value), number - 1}
		}
	}
	return values, heads, nil
}

func cidOf(text string) (cid.Cid, error) {
	raw, err := hex.DecodeString(text)
	if err != nil {
		return cid.Undef, err
	}
	return cid.Cast(raw)
}

func (w *world) handle(r request) (out answer, err error) {
	ctx := context.Background()
	if r.Op == "reset" {
		return out, w.reset(r.Peers)
	}
	if r.Op == "block" {
		data, err := hex.DecodeString(r.Data)
		if err != nil {
			return out, err
		}
		c, err := dag.V1CidPrefix().Sum(data)
		if err != nil {
			return out, err
		}
		w.all.blocks[c] = data
		out.Cid = hex.EncodeToString(c.Bytes())
		return out, nil
	}
	if r.Peer < 0 || r.Peer >= len(w.peers) {
		return out, fmt.Errorf("no peer %d", r.Peer)
	}
	p := w.peers[r.Peer]
	switch r.Op {
	case "write":
		out.Blocks, err = p.write(ctx, r.Ops, r.Batch)
	case "deliver":
		missing := map[cid.Cid]bool{}
		for _, text := range r.Missing {
			c, err := cidOf(text)
			if err != nil {
				return out, err
			}
			missing[c] = true
		}
		message, err := hex.DecodeString(r.Message)
		if err != nil {
			return out, err
		}
		p.service.mu.Lock()
		p.service.missing = missing
		p.service.mu.Unlock()
		p.deliver(message)
		p.service.mu.Lock()
		p.service.missing = nil
		p.service.mu.Unlock()
	case "restart":
		if err = p.store.Close(); err == nil {
			err = p.start()
		}
	case "repair":
		err = p.store.Repair(ctx)
	case "state":
		out.Values, out.Heads, err = p.state(ctx)
	default:
		err = fmt.Errorf("no operation %q", r.Op)
	}
	return out, err
}

func main() {
	_ = logging.SetLogLevel("*", "fatal")
	in := bufio.NewReaderSize(os.Stdin, 1<<20)
	out := bufio.NewWriter(os.Stdout)
	w := &world{}
	for {
		line, err := in.ReadBytes('\n')
		if err != nil {
			return
		}
		var r request
		var a answer
		if err = json.Unmarshal(line, &r); err == nil {
			a, err = w.handle(r)
		}
		if err != nil {
			a = answer{Error: err.Error()}
		}
		text, err := json.Marshal(a)
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		_, _ = out.Write(append(text, '\n'))
		if out.Flush() != nil {
			return
		}
	}
}
