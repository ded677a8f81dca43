package chunk_test

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/memfault-go/memfault/chunk"
	"github.com/memfault-go/memfault/internal/fakecloud/firmware"
)

func coredumpOf(payload []byte) (*chunk.Coredump, error) {
	m := &chunk.Message{Type: chunk.MessageCoredump, Payload: payload}
	return m.Coredump()
}

func TestMessage_Coredump(t *testing.T) {
	buildID := bytes.Repeat([]byte{0xab}, 20)
	payload := firmware.Coredump(0,
		block(0, 0, []byte("registers of A")),
		block(0, 0, []byte("registers of B")),
		block(2, 0, []byte("A1")),
		block(12, 0, buildID),
		block(10, 0, []byte("1.2.3+host")),
		block(11, 0, []byte("main-fw")),
		block(4, 0, []byte("evt-1")),
		block(7, 0, []byte{40, 0, 0, 0}),
		block(5, 0, []byte{0x01, 0x93, 0, 0}),
		block(6, 0, []byte{0, 0}),
		block(1, 0x20000000, pattern(1000)),
		block(1, 0xfffffff0, nil),
		block(3, 0, []byte("old")),
		block(200, 5, []byte("new")),
		block(2, 0, []byte("B2")),
		block(7, 0, []byte{40}),
	)
	c, err := coredumpOf(payload)
	require.NoError(t, err)
	assert.Equal(t, &chunk.Coredump{
		DeviceSerial: "A1", SoftwareType: "main-fw", SoftwareVersion: "1.2.3+host", HardwareVersion: "evt-1",
		BuildID: buildID, Reason: 0x9301, Machine: elf.EM_ARM,
		Registers: [][]byte{[]byte("registers of A"), []byte("registers of B")},
		Regions:   []chunk.Region{{0x20000000, pattern(1000)}, {0xfffffff0, []byte{}}},
		Unknown: []chunk.Block{
			{Type: 3, Data: []byte("old")}, {200, 5, []byte("new")}, {Type: 2, Data: []byte("B2")}, {Type: 7, Data: []byte{40}},
		},
	}, c)
	assert.Equal(t, "Undefinstr", chunk.ReasonName(c.Reason))
}

func TestMessage_CoredumpUnexpectedValues(t *testing.T) {
	c, err := coredumpOf(firmware.Coredump(0, block(5, 0, []byte{1, 2, 3, 0xff}), block(7, 0, []byte{0, 0, 1, 0}), block(12, 0, nil)))
	require.NoError(t, err)
	assert.Equal(t, []chunk.Block{{Type: 5, Data: []byte{1, 2, 3, 0xff}}, {Type: 7, Data: []byte{0, 0, 1, 0}}}, c.Unknown)
	assert.Zero(t, c.Reason)
}

func TestMessage_CoredumpTruncated(t *testing.T) {
	whole := firmware.Coredump(1, block(2, 0, []byte("A1")), block(1, 0x1000, pattern(100)))
	for _, removed := range []int{0, 1, 100, 105, 112} {
		cut := bytes.Clone(whole[:len(whole)-16-removed])
		cut = append(cut, whole[len(whole)-16:]...)
		binary.LittleEndian.PutUint32(cut[8:], uint32(len(cut)))
		c, err := coredumpOf(cut)
		require.NoError(t, err, removed)
		assert.True(t, c.Truncated)
		assert.Equal(t, "A1", c.DeviceSerial)
		if removed <= 100 {
			assert.Equal(t, []chunk.Region{{0x1000, pattern(100)[:100-removed]}}, c.Regions)
		} else {
			assert.Empty(t, c.Regions)
		}
	}
}

func TestMessage_CoredumpInvalid(t *testing.T) {
	whole := firmware.Coredump(0, block(2, 0, []byte("A1")), block(1, 0x1000, pattern(100)))
	const footer = 12 + 14 + 112
	require.Len(t, whole, footer+16)
	changed := func(at int, b ...byte) []byte {
		payload := bytes.Clone(whole)
		copy(payload[at:], b)
		return payload
	}
	for _, test := range []struct {
		name    string
		payload []byte
		serial  string // "-" if there is no coredump
		regions int
		offset  int
		problem string
	}{
		{"empty", nil, "-", 0, 0, "not a coredump"},
		{"header cut off", whole[:11], "-", 0, 0, "not a coredump"},
		{"magic", changed(0, 'X'), "-", 0, 0, "not a coredump"},
		{"version", changed(4, 1), "-", 0, 4, "unknown version"},
		{"small size", changed(8, 27), "", 0, 8, "too small"},
		{"size 0", changed(8, 0), "", 0, 8, "too small"},
		{"cut off in the memory", whole[:100], "A1", 0, 8, "shorter than its size"},
		{"cut off in the first block", whole[:20], "", 0, 8, "shorter than its size"},
		{"without footer", changed(footer, 'X'), "A1", 1, footer, "no footer"},
		{"more data", append(bytes.Clone(whole), 1), "A1", 1, len(whole), "bytes after the coredump"},
		{"long block", changed(12+8, 0xff, 0xff, 0xff, 0xff), "", 0, 12, "longer than the coredump"},
		{"block cut off", changed(12+14+8, 99), "A1", 1, footer - 1, "a block is cut off"},
	} {
		t.Run(test.name, func(t *testing.T) {
			c, err := coredumpOf(test.payload)
			var format *chunk.FormatError
			require.ErrorAs(t, err, &format)
			assert.Equal(t, "coredump", format.Content)
			assert.Equal(t, test.offset, format.Offset)
			assert.Contains(t, format.Problem, test.problem)
			if test.serial == "-" {
				assert.Nil(t, c)
				return
			}
			assert.Equal(t, test.serial, c.DeviceSerial)
			assert.Len(t, c.Regions, test.regions)
		})
	}
	m := chunk.Message{Type: chunk.MessageEvent, Payload: whole}
	c, err := m.Coredump()
	assert.Nil(t, c)
	require.EqualError(t, err, "chunk: event: byte 0: a message of this type is not a coredump")
}
