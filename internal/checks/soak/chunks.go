package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/memfault-go/memfault"
	"github.com/memfault-go/memfault/internal/checks/arrivals"
)

const (
	chunkDevices = 200
	badChunk     = "bad" // Memfault rejects a chunk that ends with this text
)

func chunkSerial(device int) string { return fmt.Sprintf("CHUNKS-%03d", device) }

// chunkText returns a chunk. Every 20th is bad.
func chunkText(serial string, number int) string {
	text := fmt.Sprintf("%s %06d %s", serial, number, strings.Repeat("x", number%90))
	if number%20 == 19 {
		text += badChunk
	}
	return text
}

// chunkNumber returns the number of a chunk, or -1 if the chunk is not one of the device.
func chunkNumber(serial, text string) int {
	fields := strings.Fields(text)
	if len(fields) < 2 {
		return -1
	}
	number, err := strconv.Atoi(fields[1])
	if err != nil || text != chunkText(serial, number) {
		return -1
	}
	return number
}

// chunkDevice records the chunks of a device.
type chunkDevice struct {
	serial string

	mu       sync.Mutex
	sent     int
	reported int // chunks 0 to reported-1 were reported
	rejected map[int]bool
}

// report is called with the outcome of a chunk.
func (d *chunkDevice) report(l *ledger, number int, err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if number != d.reported {
		l.broke(promiseChunkDone, 1, "chunk %d of %s instead of %d", number, d.serial, d.reported)
	}
	d.reported = number + 1
	if bad := strings.HasSuffix(chunkText(d.serial, number), badChunk); bad != errors.Is(err, memfault.ErrBadRequest) || bad != (err != nil) {
		l.broke(promiseRefused, 1, "chunk %d of %s: %v", number, d.serial, err)
	}
	if err == nil {
		l.did("chunks reported as accepted")
		return
	}
	l.did("chunks reported as rejected")
	d.rejected[number] = true
}

// settle compares the reported outcomes with the chunks that arrived.
func (d *chunkDevice) settle(l *ledger, arrived []int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	l.broke(promiseChunkDone, d.sent-d.reported, "%s: %d chunks are not reported", d.serial, d.sent-d.reported)
	c := arrivals.Compare(d.sent, func(number int) bool { return d.rejected[number] }, arrived)
	l.add("chunks that arrived", c.Arrived)
	l.add("chunks that arrived again", c.Repeated())
	l.broke(promiseChunkLost, c.Missing, "%s", d.serial)
	l.broke(promiseChunkOrder, c.Misordered, "%s", d.serial)
	l.broke(promiseChunkLost, c.Beyond, "%s: a number that was not sent", d.serial)
}

// sendChunks sends numbered chunks of all devices until running ends, and waits for them.
func (s *soak) sendChunks(ctx, running context.Context) {
	sender := s.gateway.Chunks.NewSender(memfault.ChunkSenderOptions{OnPause: func(error) { s.ledger.did("pauses of the chunk sender") }})
	var senders sync.WaitGroup
	for group := range 4 {
		random := s.random("chunks", group)
		senders.Go(func() {
			for running.Err() == nil {
				for range 6 {
					s.sendChunk(ctx, sender, s.devices[group+4*random.IntN(chunkDevices/4)])
				}
				sleep(running, 20*time.Millisecond+rand.N(20*time.Millisecond)) //nolint:gosec // paces the load
			}
		})
	}
	senders.Wait()
	if err := sender.Close(ctx); err != nil {
		s.ledger.broke(promiseCalls, 1, "closing the chunk sender: %v", err)
	}
}

func (s *soak) sendChunk(ctx context.Context, sender *memfault.ChunkSender, d *chunkDevice) {
	d.mu.Lock()
	number := d.sent
	d.sent++
	d.mu.Unlock()
	for {
		err := sender.Send(ctx, d.serial, []byte(chunkText(d.serial, number)), func(err error) { d.report(s.ledger, number, err) })
		if err == nil {
			s.ledger.did("chunks sent")
			return
		}
		if !errors.Is(err, memfault.ErrDeviceFull) {
			s.ledger.broke(promiseCalls, 1, "sending a chunk: %v", err)
			return
		}
		sleep(ctx, 10*time.Millisecond)
	}
}
