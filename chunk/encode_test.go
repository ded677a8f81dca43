package chunk_test

import (
	"github.com/memfault-go/memfault/chunk"
	"github.com/memfault-go/memfault/internal/checks/chunkencode"
)

// pairs is a map of CBOR: keys and values in turn.
type pairs = chunkencode.Map

func cbor(value any) []byte { return chunkencode.CBOR(value) }

func join(parts ...[]byte) (all []byte) {
	for _, part := range parts {
		all = append(all, part...)
	}
	return all
}

// deviceEvent is an event of the current SDK without serial.
func deviceEvent(kind chunk.EventType, info any) pairs {
	return pairs{2, int(kind), 3, 1, 10, "main-fw", 9, "1.2.3+host", 6, "evt-1", 1, 1700000000, 4, info}
}
