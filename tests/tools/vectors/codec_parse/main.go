// Writes codec-parse.json: what the reference's libraries make of good and bad texts and bytes.
//
//	go run ./codec_parse > ../../vectors/codec-parse.json
package main

import (
	"encoding/hex"
	"encoding/json"
	"os"
	"slices"
	"strings"

	"github.com/ipfs-cluster/ipfs-cluster/api"
	cid "github.com/ipfs/go-cid"
	peer "github.com/libp2p/go-libp2p/core/peer"
	ma "github.com/multiformats/go-multiaddr"
	mb "github.com/multiformats/go-multibase"
)

type entry struct {
	In    string `json:"in"`              // text, or hex for *_bytes
	Bytes string `json:"bytes,omitempty"` // hex
	Text  string `json:"text,omitempty"`
	Error string `json:"error,omitempty"`
}

func errText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

func main() {
	out := map[string][]entry{}
	const id1 = "12D3KooWK99VoVxNE7XzyBwXEzW7xhK7Gpv85r9F3V3fyKSUKPH5"
	raw := []byte{0, 0, 1, 2, 3, 250, 251, 252, 253, 254, 255, 7}
	codes := []mb.Encoding{}
	for code := range mb.EncodingToStr {
		codes = append(codes, code)
	}
	slices.Sort(codes)
	for _, code := range codes {
		if code == mb.Base256Emoji || code == mb.Identity {
			continue
		}
		for n := 0; n <= len(raw); n++ {
			t, err := mb.Encode(code, raw[:n])
			if err != nil {
				panic(err)
			}
			out["multibase_encode"] = append(out["multibase_encode"], entry{In: hex.EncodeToString(raw[:n]), Bytes: hex.EncodeToString([]byte(t))})
			_, b, err := mb.Decode(t)
			out["multibase_decode"] = append(out["multibase_decode"], entry{In: t, Bytes: hex.EncodeToString(b), Error: errText(err)})
		}
	}
	for _, t := range []string{"", "x", "***", "f0", "f0g", "fg0", "f00ö", "F0aB1", "bmfra", "bMFRA", "b1", "bm", "bmfr", "bmfrggz", "bmfr ggz",
		"c", "cme======", "cme=====", "cme====a=", "cmfrggzdf", "cm=======", "cmfr=====", "cme======x", "bme\nfr", "vo0", "k0", "k00", "k!", "kZz", "kö", "K0aZ",
		"z0", "z", "z111", "zö", "zI", "Z1", "m", "mA", "mAA", "mAA==", "MAA==", "MAA=", "MAAA=", "MAAA", "MA===", "MAA==A", "uAA-_", "uAA+/", "UAA-_", "mAA\nAA",
		"0", "01", "00000000", "02", "0111111111", "b" + strings.Repeat("a", 30), "ba", "baa", "baaa", "baaaa", "baaaaa", "baaaaaa", "baaaaaaa", "b="} {
		_, b, err := mb.Decode(t)
		out["multibase_decode"] = append(out["multibase_decode"], entry{In: t, Bytes: hex.EncodeToString(b), Error: errText(err)})
	}
	v1 := "bafybeigdyrzt5sfp7udm7hu76uh7y26nf3efuylqabf3oclgtqy55fbzdi"
	cv1, _ := cid.Decode(v1)
	texts := []string{"", "a", "bogus", "***", "Qm000000000000000000000000000000000000000000000", "Qm00000000000000000000000000000000000000000000",
		"QmP63DkAFEnDYNjDYBpyNDfttu1fvUw99x1brscPzpqmmq", "QmP63DkAFEnDYNjDYBpyNDfttu1fvUw99x1brscPzpqmm", "zQmP63DkAFEnDYNjDYBpyNDfttu1fvUw99x1brscPzpqmmq",
		v1, strings.ToUpper(v1), "B" + strings.ToUpper(v1[1:]), v1 + "a", v1[:30], "recover", "b", "bb", "bafkreifjjcie6lypi6ny7amxnfftagclbuxndqonfipmb64f2km2devei4",
		"/ipfs/" + v1, "bafyaafikbqewc3tfon2giaq", "bafkqabtimvwgy3yk", "k51qzi5uqu5djdczd6zw0grmo23j2vkj9uzvujencg15s5rlkq0ss4ivll8wqw", "bafzaajaiaejcbcui4poxicprsx6vfwznhs5f24wkm4e36hmucin7g5eiag2a6324",
		"f0155", "f01", "f015512", "f01551220", "f0155122000", "f015500", "f01550000", "f02551200", "f81015512", "f8001551200", "f01ffffffffffffffffff0112", "f0155122100" + strings.Repeat("00", 32), "f1220", "f122000", "f1220" + strings.Repeat("ab", 32), "f1220" + strings.Repeat("ab", 33), "f12205566",
		" " + v1, v1 + " ", "m" + "AXASIMPEcz7Ir/0Gz56f9Q/8a80uyFphcABLtwlmnDHelDka", "u", "z", "zz"}
	for _, e := range []mb.Encoding{mb.Base16, mb.Base32hex, mb.Base36, mb.Base58BTC, mb.Base58Flickr, mb.Base64, mb.Base64pad, mb.Base64url, mb.Base2, mb.Base32pad} {
		t, _ := mb.Encode(e, cv1.Bytes())
		texts = append(texts, t)
	}
	for _, t := range texts {
		c, err := api.DecodeCid(t)
		e := entry{In: t, Error: errText(err)}
		if err == nil {
			e.Bytes = hex.EncodeToString(c.Bytes())
			e.Text = c.String()
		}
		out["cid"] = append(out["cid"], e)
	}
	ids := append([]string{id1, id1 + "x", id1[:20], "1", "11", "12", "16Uiu2HAm", "notapeer", "bogus", "Qm", "0", "QmYyQSo1c1Ym7orWxLYvCrM2EmxFTANf8wXmmE7DWjhx5N"}, texts...)
	for _, t := range ids {
		p, err := peer.Decode(t)
		e := entry{In: t, Error: errText(err)}
		if err == nil {
			e.Bytes = hex.EncodeToString([]byte(p))
			e.Text = p.String()
		}
		out["peer"] = append(out["peer"], e)
	}
	addrs := []string{"", "/", "//", "bogus", "localhost:9094", "/ip4", "/ip4/", "/ip4/127.0.0.1", "/ip4/127.0.0.1/", "/ip4/127.0.0.1/tcp/9096", "/ip4/127.0.0.1/tcp/9096///", "/ip4/256.0.0.1", "/ip4/127.0.0.01", "/ip4/1.2.3", "/ip4/::ffff:1.2.3.4", "/ip4//tcp/1",
		"/ip6/::1/tcp/1", "/ip6/1.2.3.4", "/ip6/::ffff:1.2.3.4", "/ip6/fe80::1%eth0", "/ip6/2001:db8:0:0:1:0:0:1", "/ip6/0:0:1:0:0:0:0:0", "/ip6/::1.2.3.4", "/ip6/1:2:3:4:5:6:7:8", "/ip6/1:2:3:4:5:6:7::", "/ip6/::", "/ip6/x", "/ip6/2001:DB8::A", "/ip6zone/eth0/ip6/fe80::1/tcp/5001", "/ip6zone/", "/ip6zone//ip6/::1",
		"/ip4/1.2.3.4/ipcidr/24", "/ip4/1.2.3.4/ipcidr/256", "/ip4/1.2.3.4/ipcidr/-1",
		"/tcp/0", "/tcp/65535", "/tcp/65536", "/tcp/x", "/tcp/", "/tcp", "/tcp/-1", "/tcp/+1", "/tcp/1 ", "/tcp/99999999999999999999999", "/udp/1234/quic", "/udp/9096/quic-v1", "/dccp/1", "/sctp/5",
		"/ip4/1.2.3.4/udp/1234/quic-v1/webtransport/certhash/uEiAkH5a4DPGKUuOBjYw0CgwjvcJCJMD2K_1aluKR_tpevQ/certhash/uEiAfbgiymPP2_nX7Dgir8B4QkksjHp2lVuJZz0F79Be9JA/p2p/" + id1,
		"/certhash/x", "/certhash/u", "/certhash/uEiA",
		"/dns/example.com/tcp/80/http", "/dns4/kubo/tcp/5001", "/dns6/a/tcp/443/wss", "/dnsaddr/bootstrap.libp2p.io/p2p/QmYyQSo1c1Ym7orWxLYvCrM2EmxFTANf8wXmmE7DWjhx5N", "/dns4//tcp/1", "/dns4", "/dns4/münchen.de",
		"/dns4/x/tcp/443/tls/sni/example.com/ws", "/dns4/x/tcp/443/https", "/ip4/1.2.3.4/tcp/443/noise", "/ip4/1.2.3.4/tcp/1/plaintextv2",
		"/unix/run/kubo.sock", "/unix/", "/unix", "/unix//", "/unix/a", "/unix/run/x/tcp/1", "/unix/run//x/",
		"/p2p/" + id1, "/ipfs/" + id1, "/p2p/QmYyQSo1c1Ym7orWxLYvCrM2EmxFTANf8wXmmE7DWjhx5N/p2p-circuit/p2p/" + id1, "/p2p/bogus", "/p2p/1", "/p2p/Qm", "/p2p/bafzaajaiaejcbcui4poxicprsx6vfwznhs5f24wkm4e36hmucin7g5eiag2a6324", "/p2p/" + v1, "/p2p/",
		"/onion/aaimaq4ygg2iegci:80", "/onion/aaimaq4ygg2iegci:0", "/onion/aaimaq4ygg2iegci", "/onion/aaimaq4ygg2iegci:x", "/onion/aaimaq4ygg2ieg:80", "/onion3/vww6ybal4bd7szmgncyruucpgfkqahzddi37ktceo3ah7ngmcopnpyyd:1234", "/onion3/vww6ybal4bd7szmgncyruucpgfkqahzddi37ktceo3ah7ngmcopnpyyd:0", "/onion3/vww6y:1",
		"/garlic32/566niximlxdzpanmn4qouucvua3k7neniwss47li5r6ugoertzuqzwasbcbkbpzh", "/garlic32/566niximlxdzpanmn4qouucvua3k7neniwss47li5r6ugoertzu", "/garlic64/jT~IyXaoauTni6N4517EG8mrFUKpy0IlgZh-EY9csMAk82Odatmzr~YTZy8Hv7u~wvkg75EFNOyqb~nAPg-khyp2TS~ObUz8WlqYAM2VlEzJ7wJB91P-cUlKF18zSzVoJFmsrcQHZCirSbWoOknS6iNmsGRh5KVZsBEfp1Dg3gwTipTRIx7Vl5Vy~1OSKQVjYiGZS9q8RL0MF~7xFiKxZDLbPxk0AK9TzGGqm~wMTI2HS0Gm4Ycy8LYPVmLvGonIBYndg2bJC7WLuF6tVjVquiokSVDKFwq70BCUU5AU-EvdOD5KEOAM7mPfw-gJUG4tm1TtvcobrObqoRnmhXPTBTN5H7qDD12AvlwFGnfAlBXjuP4xOUAISL5SRLiulrsMSiT4GcugSI80mF6sdB0zWRgL1yyvoVWeTBn1TqjO27alr95DGTluuSqrNAxgpQzCKEWAyzrQkBo2avGAmmz2NaHaAvYbOg0QSJz1PLjv2jdPW~ofiQmrGWM1cd~1cCqAAAA",
		"/ip4/127.0.0.1/tcp/9090/http/p2p-webrtc-direct", "/udp/1/webrtc-direct", "/udp/1/webrtc", "/utp", "/udt", "/memory/4", "/memory/x", "/memory/18446744073709551615", "/memory/18446744073709551616",
		"/http-path/a%2Fb", "/http-path/%zz", "/http-path/", "/http-path/a+b%20c", "/ip4/1.2.3.4/tcp/80/http/http-path/x%2fy",
		"/unknown", "/ip4/1.2.3.4/unknown/5", "/IP4/1.2.3.4", "ip4/1.2.3.4", "/ip4/1.2.3.4/tcp", "/ip4/1.2.3.4\n", "/ip4/1.2.3.4/tcp/1\x00", "/bogus\"q\\x"}
	for _, t := range addrs {
		m, err := ma.NewMultiaddr(t)
		e := entry{In: t, Error: errText(err)}
		if err == nil {
			e.Bytes = hex.EncodeToString(m.Bytes())
			e.Text = m.String()
		}
		out["multiaddr"] = append(out["multiaddr"], e)
	}
	for _, h := range []string{"", "04", "0401020304", "04010203", "0604d2", "0604", "a503", "a50300", "a5032212200b1d6d95aae1fc9a54ad6eb18d968af23b27c51fb66d8bc21cc999eaef208768", "9003", "900300", "9003012f", "9003022f61", "9003022f610604d2", "35 00", "3500", "350161", "3503612f62", "84 00", "8400", "2900000000000000000000000000000001", "2a0161", "2a012f"} {
		b, err := hex.DecodeString(strings.ReplaceAll(h, " ", ""))
		if err != nil {
			panic(err)
		}
		m, err := ma.NewMultiaddrBytes(b)
		e := entry{In: hex.EncodeToString(b), Error: errText(err)}
		if err == nil {
			e.Text = m.String()
		}
		out["multiaddr_bytes"] = append(out["multiaddr_bytes"], e)
	}
	enc := json.NewEncoder(os.Stdout)
	enc.SetIndent("", " ")
	if err := enc.Encode(map[string]any{"source": "ipfs-cluster v1.1.6 and its modules: go-cid, go-multibase, go-multiaddr, go-libp2p core/peer", "what": "results and error texts of parsing", "cases": out}); err != nil {
		panic(err)
	}
}
