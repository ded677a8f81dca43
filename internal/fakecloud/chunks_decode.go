package fakecloud

import (
	"fmt"
	"hash/maphash"
	"maps"
	"net/http"
	"slices"
	"time"

	"github.com/memfault-go/memfault/chunk"
	"github.com/memfault-go/memfault/internal/operation"
)

// Limits of what the cloud remembers of decoded chunks. The oldest go first.
const (
	maxMessages      = 64 << 20 // bytes of messages, over all projects
	messageOverhead  = 100      // bytes that a message counts beside its payload
	maxRecentChunks  = 10_000   // of a device; their hashes
	maxRecentDoubles = 100      // of a device; hashes of messages
	maxDamageReports = 3        // violations of a device
)

// doubleWindow is the time in which an equal message of a device counts as a repetition. Later, it
// is another message of a device without a clock, such as the next heartbeat with the same values.
const doubleWindow = time.Minute

// chunkDecoder decodes the chunks that were uploaded for a device.
type chunkDecoder struct {
	assembler chunk.Assembler
	damaged   int // number of chunks that showed damage
	reported  int // number of violations
	messages  []*chunk.Message

	// failures counts the requests with chunks that may be repeated: they failed, or their
	// response was lost. A chunk that arrives again after one is a repetition that a client
	// cannot avoid.
	failures int
	// refused is set while chunks are missing that the cloud itself refused or dropped.
	refused bool

	recent, older map[uint64]int    // failures when a chunk arrived, by its hash
	complete      []completeMessage // the last ones
}

type completeMessage struct {
	hash     uint64
	at       time.Time
	failures int
}

// AcceptDamagedChunks makes damaged chunks no violation.
func (c *Cloud) AcceptDamagedChunks() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.acceptDamaged = true
}

// DamagedChunks returns the number of chunks of a device of the default project that showed
// damage, or that completed a message again.
func (c *Cloud) DamagedChunks(serial string) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	if d := c.seeded.decoders[serial]; d != nil {
		return d.damaged
	}
	return 0
}

// Messages returns the messages in the chunks that were uploaded for a device of the default
// project, in the order in which they were completed. The cloud keeps at most 64 MiB of messages
// in all; the oldest go first. The caller must not change them.
func (c *Cloud) Messages(serial string) []*chunk.Message {
	c.mu.Lock()
	defer c.mu.Unlock()
	if d := c.seeded.decoders[serial]; d != nil {
		return slices.Clone(d.messages)
	}
	return nil
}

// EndChunks ends the sequences of chunks of the default project. A message that is incomplete is
// damage.
func (c *Cloud) EndChunks() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, serial := range slices.Sorted(maps.Keys(c.seeded.decoders)) {
		d := c.seeded.decoders[serial]
		c.damage(c.seeded, serial, d, d.assembler.Flush(), false)
	}
}

func (p *project) decoder(serial string) *chunkDecoder {
	d := p.decoders[serial]
	if d == nil {
		if p.decoders == nil {
			p.decoders = map[string]*chunkDecoder{}
		}
		d = &chunkDecoder{}
		p.decoders[serial] = d
	}
	return d
}

// decodeChunk decodes a chunk, and applies the message that it completes.
//
// UNCERTAIN(repeated-chunk): whether Memfault recognizes a chunk that it received before, as
// after a lost response. Here, the repetition of a chunk loses the message that it belongs to,
// unless the repetition is that of the whole message.
func (c *Cloud) decodeChunk(p *project, serial string, data []byte) {
	d := p.decoder(serial)
	repeated := d.repeats(maphash.Bytes(c.watch.seed, data))
	m, err := d.assembler.Add(data)
	c.damage(p, serial, d, err, repeated)
	if m == nil {
		return
	}
	if doubled := d.doubles(c.hashOf(m), c.now()); doubled && err == nil && !repeated && !d.refused {
		d.damaged++
		c.reportDamage(p, serial, d, fmt.Sprintf("the message (%s) arrived twice", m), false)
	}
	d.refused = false
	c.keepMessage(p, serial, d, m)
	c.applyMessage(p, serial, m)
}

func (c *Cloud) hashOf(m *chunk.Message) uint64 {
	var hash maphash.Hash
	hash.SetSeed(c.watch.seed)
	_ = hash.WriteByte(byte(m.Type)) //nolint:gosec // at most 63
	_, _ = hash.Write(m.Payload)
	return hash.Sum64()
}

// damage notes the damage that a chunk showed.
func (c *Cloud) damage(p *project, serial string, d *chunkDecoder, err error, repeated bool) {
	if err == nil {
		return
	}
	d.damaged++
	for _, damage := range chunk.Damages(err) {
		c.reportDamage(p, serial, d, damage.Error(), repeated || d.refused)
	}
}

// reportDamage adds damage to the processing log and, unless the cloud caused it, to the
// violations.
//
// UNCERTAIN(processing-log-text): the text of the entry for chunks that cannot be decoded.
func (c *Cloud) reportDamage(p *project, serial string, d *chunkDecoder, text string, caused bool) {
	c.logProcessing(p, ProcessingLogEntry{DeviceSerial: serial, Message: "Damaged data: " + text})
	if caused || c.acceptDamaged || d.reported == maxDamageReports {
		return
	}
	if d.reported++; d.reported == maxDamageReports {
		text += " (more damage of this device is only counted)"
	}
	c.recorder.addViolation("damaged chunks of " + serial + " (see AcceptDamagedChunks): " + text)
}

// repeats notes a chunk, and reports whether it arrived before a request failed.
func (d *chunkDecoder) repeats(hash uint64) bool {
	before, ok := d.recent[hash]
	if !ok {
		before, ok = d.older[hash]
	}
	if len(d.recent) >= maxRecentChunks {
		d.recent, d.older = nil, d.recent
	}
	if d.recent == nil {
		d.recent = map[uint64]int{}
	}
	d.recent[hash] = d.failures
	return ok && before < d.failures
}

// doubles notes a message, and reports whether an equal one arrived shortly before, although no
// request failed in between.
func (d *chunkDecoder) doubles(hash uint64, now time.Time) bool {
	found := slices.ContainsFunc(d.complete, func(m completeMessage) bool {
		return m.hash == hash && m.failures == d.failures && now.Sub(m.at) < doubleWindow
	})
	d.complete = append(d.complete, completeMessage{hash, now, d.failures})
	d.complete = d.complete[max(0, len(d.complete)-maxRecentDoubles):]
	return found
}

func (c *Cloud) keepMessage(p *project, serial string, d *chunkDecoder, m *chunk.Message) {
	d.messages = append(d.messages, m)
	c.messageOrder = append(c.messageOrder, keptChunk{p, serial})
	c.messageBytes += len(m.Payload) + messageOverhead
	for c.messageBytes > maxMessages {
		oldest := c.messageOrder[0]
		of := oldest.project.decoders[oldest.serial]
		c.messageBytes -= len(of.messages[0].Payload) + messageOverhead
		of.messages[0] = nil
		of.messages = of.messages[1:]
		c.messageOrder = c.messageOrder[1:]
	}
}

// disturbed notes how a request with chunks ended: its chunks may be repeated, unless it was
// accepted and its response was not lost; and the cloud itself drops chunks that it refuses, and
// those that a fault accepts. The status is 0 if the request got no response.
func (c *Cloud) disturbed(op *operation.Operation, r *http.Request, status int, lost, dropped bool) {
	if op.Name != operation.ChunksUpload.Name || status/100 == 2 && !lost && !dropped {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	p := c.byProjectKey(r.Header.Get(projectKeyHeader)).project
	if p == nil {
		return
	}
	d := p.decoder(r.PathValue("device_serial"))
	d.failures++
	if dropped || status/100 == 4 && status != http.StatusTooManyRequests {
		d.refused = true
	}
}
