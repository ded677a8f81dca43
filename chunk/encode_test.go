package chunk_test

import (
	"github.com/memfault-go/memfault/chunk"
	"github.com/memfault-go/memfault/internal/fakecloud/firmware"
)

// pairs is a map of CBOR: keys and values in turn.
type pairs = firmware.Map

func cbor(value any) []byte { return firmware.CBOR(value) }

func join(parts ...[]byte) (all []byte) {
	for _, part := range parts {
		all = append(all, part...)
	}
	return all
}

func deviceEvent(kind chunk.EventType, info any) pairs { return firmware.Event(kind, info) }

// block is a block of a coredump.
func block(kind byte, address uint32, data []byte) firmware.Block {
	return firmware.Block{Kind: kind, Address: address, Data: data}
}
