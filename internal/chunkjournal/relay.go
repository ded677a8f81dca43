package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"

	"github.com/memfault-go/memfault"
	"github.com/memfault-go/memfault/memfaulttest"
)

// The kinds of lines in the journal.
const (
	received = "received"
	accepted = "accepted"
)

func serials() []string {
	all := make([]string, 50)
	for i := range all {
		all[i] = fmt.Sprintf("SN-%02d", i)
	}
	return all
}

func chunkText(serial string, sequence int) string { return fmt.Sprintf("%s-%06d", serial, sequence) }

// chunkNumber returns the number of a chunk, or -1 if its text is not one of the device's.
func chunkNumber(serial, text string) int {
	number, err := strconv.Atoi(strings.TrimPrefix(text, serial+"-"))
	if err != nil || text != chunkText(serial, number) {
		return -1
	}
	return number
}

// journal is the file in which the relay keeps chunks until they are accepted. Its content
// survives a crash of the process, but not one of the machine, because it is not synced.
type journal struct {
	mu   sync.Mutex
	file *os.File
}

func (j *journal) write(kind, serial string, sequence int) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if _, err := fmt.Fprintf(j.file, "%s %s %d.\n", kind, serial, sequence); err != nil {
		panic(err) // a relay without its journal must not continue
	}
}

// relay sends the chunks in the journal that are not accepted, and then new ones without
// end, or none if it drains.
func relay(ctx context.Context, url, path string, drain bool) error {
	entries, err := readJournal(path)
	if err != nil {
		return err
	}
	file, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600) //nolint:gosec // the journal of this program
	if err != nil {
		return err
	}
	j := &journal{file: file}
	if _, err := fmt.Fprintln(file); err != nil { // ends a line that was cut off
		return err
	}
	client, err := memfault.NewClient(memfault.ProjectKey(new(memfaulttest.Server).ProjectKey()), memfault.WithBaseURL(url))
	if err != nil {
		return err
	}
	sender := client.Chunks.NewSender(memfault.ChunkSenderOptions{MaxPendingBytes: 1 << 20})
	send := func(serial string, sequence int) error {
		for {
			err := sender.Send(ctx, serial, []byte(chunkText(serial, sequence)), func(err error) {
				if err != nil {
					panic(err) // nothing is rejected here
				}
				j.write(accepted, serial, sequence)
			})
			if !errors.Is(err, memfault.ErrDeviceFull) {
				return err
			}
			if err := sender.Flush(ctx); err != nil {
				return err
			}
		}
	}
	for _, serial := range serials() {
		for sequence := entries[serial].accepted; sequence < entries[serial].queued; sequence++ {
			if err := send(serial, sequence); err != nil {
				return err
			}
		}
	}
	for !drain {
		for _, serial := range serials() {
			sequence := entries[serial].queued
			entries[serial].queued++
			j.write(received, serial, sequence)
			if err := send(serial, sequence); err != nil {
				return err
			}
		}
	}
	return sender.Close(ctx)
}
