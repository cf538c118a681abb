// Writes key-kinds.json: keys of every kind with a signature, and multihashes by many functions.
//
//	go run ./key_kinds > ../../vectors/key-kinds.json
package main

import (
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"os"
	"sort"

	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/peer"
	mh "github.com/multiformats/go-multihash"
	_ "github.com/multiformats/go-multihash/register/all"
	_ "github.com/multiformats/go-multihash/register/miniosha256"
)

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func main() {
	msg := []byte("a message to sign")
	var keys []map[string]string
	for _, k := range []struct {
		name       string
		kind, bits int
	}{{"rsa", crypto.RSA, 2048}, {"ed25519", crypto.Ed25519, 0}, {"secp256k1", crypto.Secp256k1, 0}, {"ecdsa", crypto.ECDSA, 0}} {
		priv, pub, err := crypto.GenerateKeyPairWithReader(k.kind, k.bits, rand.Reader)
		if err != nil {
			panic(err)
		}
		pb := must(crypto.MarshalPrivateKey(priv))
		keys = append(keys, map[string]string{
			"kind":                k.name,
			"private_base64":      base64.StdEncoding.EncodeToString(pb),
			"public_protobuf_hex": hex.EncodeToString(must(crypto.MarshalPublicKey(pub))),
			"peer_id":             must(peer.IDFromPublicKey(pub)).String(),
			"message":             string(msg),
			"signature_hex":       hex.EncodeToString(must(priv.Sign(msg))),
		})
	}
	var hashes []map[string]any
	names := []string{}
	for n := range mh.Names {
		names = append(names, n)
	}
	sort.Strings(names)
	for _, n := range names {
		s, err := mh.Sum([]byte("the data"), mh.Names[n], -1)
		e := map[string]any{"name": n, "code": mh.Names[n]}
		if err == nil {
			e["multihash_hex"] = hex.EncodeToString(s)
		}
		hashes = append(hashes, e)
	}
	enc := json.NewEncoder(os.Stdout)
	enc.SetIndent("", " ")
	_ = enc.Encode(map[string]any{"source": "go-libp2p v0.48.0 core/crypto, go-multihash v0.2.3", "what": "keys of each kind; multihashes of \"the data\"", "keys": keys, "hashes": hashes})
}
