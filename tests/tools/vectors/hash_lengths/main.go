// Writes hash-lengths.json: multihashes of functions that we compute ourselves, around the sizes of
// their blocks and chunks.
//
//	go run ./hash_lengths > ../../vectors/hash-lengths.json
package main

import (
	"fmt"

	mh "github.com/multiformats/go-multihash"
	_ "github.com/multiformats/go-multihash/register/all"
)

func main() {
	fmt.Println("{\"description\": \"Multihashes by go-multihash of as many bytes as length says; byte i is i modulo 251.\",")
	fmt.Println("\"cases\": [")
	comma := ""
	for _, code := range []uint64{mh.BLAKE3, mh.KECCAK_256, mh.KECCAK_512} {
		for _, n := range []int{0, 1, 63, 64, 65, 71, 72, 135, 136, 137, 1023, 1024, 1025, 2048, 2049, 3072, 3073, 5000, 31744, 102400} {
			data := make([]byte, n)
			for i := range data {
				data[i] = byte(i % 251)
			}
			sum, err := mh.Sum(data, code, -1)
			if err != nil {
				panic(err)
			}
			fmt.Printf("%s {\"code\": %d, \"length\": %d, \"multihash_hex\": \"%x\"}", comma, code, n, []byte(sum))
			comma = ",\n"
		}
	}
	fmt.Println("\n]}")
}
