package chunk_test

import (
	"github.com/memfault-go/memfault/chunk"
	encoder "github.com/memfault-go/memfault/internal/fakecloud/firmware"
)

// The encoders share no code with the package.
type (
	crcPlace = encoder.CRCPlace
	pairs    = encoder.Map
)

// block is a block of a coredump.
type block struct {
	kind    byte
	address uint32
	data    []byte
}

const (
	crcAfter        = encoder.CRCAfter
	crcAfterLength  = encoder.CRCAfterLength
	crcBeforeLength = encoder.CRCBeforeLength
)

func crc16(b []byte) uint16 { return encoder.CRC(b) }

func encodeChunks(message []byte, size int, place crcPlace) [][]byte {
	return encoder.Chunks(message, size, place)
}

func encodeMessage(kind chunk.MessageType, key string, compressed bool, payload []byte) []byte {
	return encoder.Message(kind, key, compressed, payload)
}

func cbor(value any) []byte { return encoder.CBOR(value) }

func deviceEvent(kind chunk.EventType, info any) pairs { return encoder.Event(kind, info) }

func tagged(tag uint64, value any) encoder.Tagged { return encoder.Tagged{Tag: tag, Value: value} }

func encodeCoredump(flags uint32, blocks ...block) []byte {
	var all []encoder.Block
	for _, b := range blocks {
		all = append(all, encoder.Block{Kind: b.kind, Address: b.address, Data: b.data})
	}
	return encoder.Coredump(flags, all...)
}

func join(parts ...[]byte) (all []byte) {
	for _, part := range parts {
		all = append(all, part...)
	}
	return all
}
