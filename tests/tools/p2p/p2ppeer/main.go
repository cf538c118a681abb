// Command p2ppeer is a go-libp2p peer for interop tests: a private network over TCP with Noise and
// yamux, as an IPFS Cluster peer has it, and protocols to measure and to misuse.
//
//	p2ppeer serve  -secret HEX -seed N [-listen ADDR]
//	p2ppeer run    -secret HEX -seed N -target ADDR [-bytes N] [-streams N]
//
// serve prints its address and runs until its standard input ends. run prints one JSON object with
// what it measured against the target.
package main

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/libp2p/go-libp2p"
	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/protocol"
	rcmgr "github.com/libp2p/go-libp2p/p2p/host/resource-manager"
	"github.com/libp2p/go-libp2p/p2p/muxer/yamux"
	"github.com/libp2p/go-libp2p/p2p/protocol/ping"
	noise "github.com/libp2p/go-libp2p/p2p/security/noise"
	"github.com/libp2p/go-libp2p/p2p/transport/tcp"
)

const (
	echoProtocol   = protocol.ID("/lab/echo/1")   // answers with what it was sent
	sinkProtocol   = protocol.ID("/lab/sink/1")   // reads to the end, answers with the count (8 bytes)
	sourceProtocol = protocol.ID("/lab/source/1") // reads a count (8 bytes), answers with so many bytes
)

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func newHost(secret string, seed int, listen string) host.Host {
	psk, err := hex.DecodeString(secret)
	check(err)
	sum := sha256.Sum256([]byte(fmt.Sprint("p2ppeer ", seed)))
	key, _, err := crypto.GenerateEd25519Key(newReader(sum))
	check(err)
	manager, err := rcmgr.NewResourceManager(rcmgr.NewFixedLimiter(rcmgr.InfiniteLimits))
	check(err)
	options := []libp2p.Option{
		libp2p.Identity(key), libp2p.PrivateNetwork(psk), libp2p.Transport(tcp.NewTCPTransport),
		libp2p.Security(noise.ID, noise.New), libp2p.Muxer(yamux.ID, yamux.DefaultTransport),
		libp2p.DisableRelay(), libp2p.ResourceManager(manager), libp2p.UserAgent("p2ppeer"),
	}
	if listen == "" {
		options = append(options, libp2p.NoListenAddrs)
	} else {
		options = append(options, libp2p.ListenAddrStrings(listen))
	}
	h, err := libp2p.New(options...)
	check(err)
	h.SetStreamHandler(echoProtocol, func(s network.Stream) {
		_, _ = io.Copy(s, s)
		_ = s.Close()
	})
	h.SetStreamHandler(sinkProtocol, func(s network.Stream) {
		n, _ := io.Copy(io.Discard, s)
		_ = binary.Write(s, binary.BigEndian, uint64(n))
		_ = s.Close()
	})
	h.SetStreamHandler(sourceProtocol, func(s network.Stream) {
		var n uint64
		if binary.Read(s, binary.BigEndian, &n) == nil {
			send(s, n)
		}
		_ = s.Close()
	})
	return h
}

func send(w io.Writer, n uint64) {
	chunk := make([]byte, 256*1024)
	for n > 0 {
		size := min(n, uint64(len(chunk)))
		if _, err := w.Write(chunk[:size]); err != nil {
			return
		}
		n -= size
	}
}

func main() {
	if len(os.Args) < 2 {
		check(fmt.Errorf("usage: p2ppeer serve|run ..."))
	}
	flags := flag.NewFlagSet(os.Args[1], flag.ExitOnError)
	secret := flags.String("secret", "", "")
	seed := flags.Int("seed", 1, "")
	listen := flags.String("listen", "/ip4/127.0.0.1/tcp/0", "")
	target := flags.String("target", "", "")
	bytes := flags.Uint64("bytes", 0, "")
	streams := flags.Int("streams", 0, "")
	check(flags.Parse(os.Args[2:]))

	if os.Args[1] == "serve" {
		h := newHost(*secret, *seed, *listen)
		fmt.Printf("%s/p2p/%s\n", h.Addrs()[0], h.ID())
		_, _ = io.Copy(io.Discard, os.Stdin)
		_ = h.Close()
		return
	}

	h := newHost(*secret, *seed, "")
	info, err := peer.AddrInfoFromString(*target)
	check(err)
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Minute)
	defer cancel()
	start := time.Now()
	check(h.Connect(ctx, *info))
	result := map[string]any{"connect_ms": float64(time.Since(start).Microseconds()) / 1000}
	if *bytes > 0 {
		result["up_mib_s"], err = upload(ctx, h, info.ID, *bytes)
		check(err)
		result["down_mib_s"], err = download(ctx, h, info.ID, *bytes)
		check(err)
	}
	if *streams > 0 {
		start = time.Now()
		result["streams_ok"] = manyStreams(ctx, h, info.ID, *streams)
		result["streams_ms"] = float64(time.Since(start).Microseconds()) / 1000
	}
	pong := <-ping.Ping(ctx, h, info.ID)
	check(pong.Error)
	result["ping_us"] = pong.RTT.Microseconds()
	agent, _ := h.Peerstore().Get(info.ID, "AgentVersion")
	protocols, _ := h.Peerstore().GetProtocols(info.ID)
	result["agent"], result["protocols"] = agent, protocols
	result["connections"] = len(h.Network().ConnsToPeer(info.ID))
	check(json.NewEncoder(os.Stdout).Encode(result))
	_ = h.Close()
}

func rate(n uint64, since time.Time) float64 {
	return float64(n) / (1 << 20) / time.Since(since).Seconds()
}

func upload(ctx context.Context, h host.Host, to peer.ID, n uint64) (float64, error) {
	s, err := h.NewStream(ctx, to, sinkProtocol)
	if err != nil {
		return 0, err
	}
	start := time.Now()
	send(s, n)
	if err := s.CloseWrite(); err != nil {
		return 0, err
	}
	var got uint64
	if err := binary.Read(s, binary.BigEndian, &got); err != nil {
		return 0, err
	}
	if got != n {
		return 0, fmt.Errorf("%d bytes arrived of %d", got, n)
	}
	return rate(n, start), s.Close()
}

func download(ctx context.Context, h host.Host, from peer.ID, n uint64) (float64, error) {
	s, err := h.NewStream(ctx, from, sourceProtocol)
	if err != nil {
		return 0, err
	}
	start := time.Now()
	if err := binary.Write(s, binary.BigEndian, n); err != nil {
		return 0, err
	}
	got, err := io.Copy(io.Discard, s)
	if err != nil {
		return 0, err
	}
	if uint64(got) != n {
		return 0, fmt.Errorf("%d bytes arrived of %d", got, n)
	}
	return rate(n, start), s.Close()
}

// manyStreams opens all streams before it uses the first one.
func manyStreams(ctx context.Context, h host.Host, to peer.ID, count int) int64 {
	var ok, failures atomic.Int64
	var opened, done sync.WaitGroup
	opened.Add(count)
	for i := 0; i < count; i++ {
		done.Add(1)
		go func() {
			defer done.Done()
			s, err := h.NewStream(ctx, to, echoProtocol)
			opened.Done()
			if err == nil {
				opened.Wait()
				err = echoOnce(s, fmt.Sprint("stream ", i))
			}
			if err == nil {
				ok.Add(1)
			} else if failures.Add(1) <= 3 {
				fmt.Fprintln(os.Stderr, "stream", i, err)
			}
		}()
	}
	done.Wait()
	return ok.Load()
}

func echoOnce(s network.Stream, text string) error {
	defer s.Close()
	if _, err := io.WriteString(s, text); err != nil {
		return err
	}
	if err := s.CloseWrite(); err != nil {
		return err
	}
	back, err := io.ReadAll(s)
	if err == nil && string(back) != text {
		err = fmt.Errorf("got %q for %q", back, text)
	}
	return err
}
