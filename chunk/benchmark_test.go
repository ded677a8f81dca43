package chunk_test

import (
	"bytes"
	"encoding/binary"
	"testing"

	"github.com/memfault-go/memfault/chunk"
	"github.com/memfault-go/memfault/internal/fakecloud/firmware"
)

// benchmarkChunks adds chunks that form whole messages. Its time is that of a chunk.
func benchmarkChunks(b *testing.B, chunks [][]byte) {
	b.Helper()
	bytes := 0
	for _, data := range chunks {
		bytes += len(data)
	}
	b.SetBytes(int64(bytes / len(chunks)))
	b.ReportAllocs()
	var a chunk.Assembler
	for i := 0; b.Loop(); i++ {
		if _, err := a.Add(chunks[i%len(chunks)]); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkAssembler_Event(b *testing.B) {
	message := firmware.Message(chunk.MessageEvent, "", false, cbor(benchmarkEvent()))
	benchmarkChunks(b, firmware.Chunks(message, 1500, firmware.CRCAfter))
}

func BenchmarkAssembler_Coredump64KiB(b *testing.B) {
	message := firmware.Message(chunk.MessageCoredump, "", false, firmware.Coredump(0, block(1, 0, pattern(64<<10))))
	benchmarkChunks(b, firmware.Chunks(message, 256, firmware.CRCAfter))
}

func BenchmarkAssembler_CompressedCoredump64KiB(b *testing.B) {
	message := firmware.Message(chunk.MessageCoredump, "", true, firmware.Coredump(0, block(1, 0, pattern(32<<10)), block(1, 1<<16, make([]byte, 32<<10))))
	benchmarkChunks(b, firmware.Chunks(message, 256, firmware.CRCAfter))
}

// benchmarkEvent returns a heartbeat with 20 metrics.
func benchmarkEvent() pairs {
	var metrics []any
	for i := range 20 {
		metrics = append(metrics, i*1000)
	}
	return deviceEvent(chunk.EventHeartbeat, pairs{1, metrics, 2, 0})
}

func BenchmarkMessage_Events(b *testing.B) {
	m := chunk.Message{Type: chunk.MessageEvent, Payload: cbor(benchmarkEvent())}
	b.SetBytes(int64(len(m.Payload)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := m.Events(); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkMessage_Coredump64KiB(b *testing.B) {
	m := chunk.Message{Type: chunk.MessageCoredump, Payload: firmware.Coredump(0, block(0, 0, pattern(68)), block(2, 0, []byte("A1")), block(1, 0, pattern(64<<10)))}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := m.Coredump(); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkReadNames reads a file with 100,000 enumerators of which 12 are names.
func BenchmarkReadNames(b *testing.B) {
	all := append([]enumerator{}, enumerators...)
	for range 100_000 {
		all = append(all, enumerator{"ENUMERATOR_OF_ANOTHER_LIBRARY", 1})
	}
	file := debugFile{version: 5, order: binary.LittleEndian, nameForm: formStrp, valueForm: formData1, enumerators: all}.bytes()
	b.SetBytes(int64(len(file)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := chunk.ReadNames(bytes.NewReader(file)); err != nil {
			b.Fatal(err)
		}
	}
}
