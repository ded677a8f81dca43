package chunk_test

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/memfault-go/memfault/chunk"
)

func TestParseHeader(t *testing.T) {
	for _, test := range []struct {
		name string
		data []byte
		want chunk.Header
		ok   bool
	}{
		{"a message of one chunk", []byte{0x08, 1, 2, 3}, chunk.Header{First: true, Last: true}, true},
		{"the first chunk", []byte{0x48, 20, 1}, chunk.Header{First: true}, true},
		{"a chunk in the middle", []byte{0xC0, 0x81, 0x01, 1}, chunk.Header{Offset: 129}, true},
		{"the last chunk", []byte{0x80, 5, 1}, chunk.Header{Last: true, Offset: 5}, true},
		{"no data", nil, chunk.Header{}, false},
		{"a continuation without its offset", []byte{0x80}, chunk.Header{}, false},
		{"text", []byte("MC:SFQ"), chunk.Header{}, false},
	} {
		got, ok := chunk.ParseHeader(test.data)
		assert.Equal(t, test.want, got, test.name)
		assert.Equal(t, test.ok, ok, test.name)
	}
}
