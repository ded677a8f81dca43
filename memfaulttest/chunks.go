package memfaulttest

import (
	"cmp"
	"math"

	"github.com/memfault-go/memfault/chunk"
	"github.com/memfault-go/memfault/internal/fakecloud/firmware"
)

// Chunks returns the chunks that the server accepted for a device, in the order of arrival.
// A chunk that arrived twice is contained twice. The server keeps the last 256 MiB of the
// chunks of all devices.
//
// The serial is that of the requests; see [Server.Messages].
func (s *Server) Chunks(serial string) [][]byte { return s.cloud.Chunks(serial) }

// Messages returns the messages that the chunks of a device contained, in the order in which they
// were complete; see package [chunk]. The server keeps the last 64 MiB of the messages of all
// devices. The messages must not be changed.
//
// The serial is that of the requests. A message can name another device, for example if a gateway
// uploads all chunks with its own serial.
func (s *Server) Messages(serial string) []*chunk.Message { return s.cloud.Messages(serial) }

// DamagedChunks returns how many chunks of a device showed damage: that a chunk before is missing,
// was exchanged, repeated, cut off or re-encoded, belongs to another device, or that the chunk
// itself is none. A chunk that completes a message again within a minute counts, too. The serial
// is that of the requests.
//
// A message that was damaged is lost. The server responds with 202, as Memfault does, and adds an
// entry of the level error to the processing log; see [Server.AddProcessingLog].
func (s *Server) DamagedChunks(serial string) int { return s.cloud.DamagedChunks(serial) }

// AcceptDamagedChunks makes damaged chunks no violation. By default, they fail the test, since a
// program that delivers chunks must not damage them. Call it in a test
//
//   - that sends other bytes than chunks, such as "a chunk"; [LogChunks] returns real ones;
//   - of a device that restarts while it sends a message, which it does not finish;
//   - of a program that is killed, and sends again what it had not noted as accepted;
//   - that ends before the program has delivered the chunks of a message.
func (s *Server) AcceptDamagedChunks() { s.cloud.AcceptDamagedChunks() }

// AddMetricNames adds the names of the metrics of heartbeats, in the order in which the firmware
// defines them: chunks contain only their values. The names apply to heartbeats with so many
// metrics. Uploaded symbols with debug information contain the names, too, and go first.
func (s *Server) AddMetricNames(names ...string) { s.cloud.AddMetricNames(names...) }

// LogChunks returns the chunks that a device sends with a line of its log: one message, in chunks
// of at most maxSize bytes, or in one if maxSize is 0. The smallest size is 9. The message contains
// neither a time, nor a device and its versions: the device is that of the request.
//
//	chunks := memfaulttest.LogChunks("valve opened", 20)
func LogChunks(line string, maxSize int) [][]byte {
	const kind, schema, info = 2, 3, 4 // keys
	event := firmware.Map{kind, int(chunk.EventLogs), schema, 1, info, []any{int(chunk.LogInfo), line}}
	message := firmware.Message(chunk.MessageLog, "", false, firmware.CBOR(event))
	return firmware.Chunks(message, max(cmp.Or(maxSize, math.MaxInt32), 9), firmware.CRCAfter)
}
