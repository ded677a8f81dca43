package main

import (
	"errors"
	"fmt"
	"iter"

	"github.com/memfault-go/memfault/chunk"
	"github.com/memfault-go/memfault/internal/chunkexport"
)

// place is where a chunk begins.
type place struct {
	line   int // 0 in a file of bytes
	offset int64
	chunk  int // its number, from 1; 0 if it could not be read
}

func (p place) String() string {
	at := fmt.Sprintf("line %d", p.line)
	if p.line == 0 {
		at = fmt.Sprintf("byte %d", p.offset)
	}
	if p.chunk > 0 {
		at += fmt.Sprintf(", chunk %d", p.chunk)
	}
	return at
}

// message is a complete message.
type message struct {
	*chunk.Message

	first    place
	last     int // the number of its last chunk
	events   []chunk.Event
	coredump *chunk.Coredump
	problem  error // the content is not in the expected form
}

// damage is something that is damaged.
type damage struct {
	at    place
	first place // of the message, if it is known
	lost  *chunk.DamageError
	line  error // the text of a chunk is damaged
}

// printer prints what was read, in order.
type printer interface {
	message(message)
	damage(damage)
	err() error // the first error of writing
}

// session reads the chunks of a file. Chunks do not name their device, so all are taken for
// those of one device.
type session struct {
	assembler chunk.Assembler
	findings  *findings
	printer   printer
	firmware  *symbols // nil if there is none

	chunks int
	starts [2]place // of the last two first chunks of messages; the newer one is last
}

// read reads all chunks. It returns an error of the reader.
func (s *session) read(chunks iter.Seq2[chunkexport.Chunk, error]) error {
	for c, err := range chunks {
		var line *chunkexport.Error
		switch {
		case errors.As(err, &line):
			s.damage(damage{at: place{line: line.Line, offset: line.Offset}, line: line.Err})
		case err != nil:
			return fmt.Errorf("reading: %w", err)
		default:
			s.add(c)
		}
		if s.printer.err() != nil {
			return nil
		}
	}
	for _, lost := range chunk.Damages(s.assembler.Flush()) {
		s.findings.atEnd = true
		s.damage(damage{at: s.place(lost.FirstChunk), first: s.place(lost.FirstChunk), lost: lost})
	}
	return nil
}

func (s *session) add(c chunkexport.Chunk) {
	s.chunks++
	s.findings.chunks++
	at := place{c.Line, c.Offset, s.chunks}
	m, err := s.assembler.Add(c.Data)
	damages := chunk.Damages(err)
	notChunk := len(damages) > 0 && damages[len(damages)-1].Kind == chunk.DamageHeader
	if continuation := c.Data[0]&0x80 != 0; !continuation && !notChunk {
		s.starts[0], s.starts[1] = s.starts[1], at
	}
	for _, lost := range damages {
		s.damage(damage{at: at, first: s.place(lost.FirstChunk), lost: lost})
	}
	if m != nil {
		s.message(m)
	}
}

// place returns where one of the last two messages began. It is the zero value if the number is
// of no such message.
func (s *session) place(firstChunk int) place {
	for _, start := range s.starts {
		if firstChunk > 0 && start.chunk == firstChunk {
			return start
		}
	}
	return place{}
}

func (s *session) damage(d damage) {
	s.findings.damage(d)
	s.printer.damage(d)
}

func (s *session) message(m *chunk.Message) {
	read := message{Message: m, first: s.starts[1], last: s.chunks}
	switch m.Type {
	case chunk.MessageCoredump:
		read.coredump, read.problem = m.Coredump()
	case chunk.MessageEvent, chunk.MessageLog, chunk.MessageRecording:
		read.events, read.problem = m.Events()
	}
	s.firmware.apply(&read, s.findings)
	s.findings.message(read)
	s.printer.message(read)
}
