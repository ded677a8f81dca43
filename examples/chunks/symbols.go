package main

import (
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/memfault-go/memfault"
	"github.com/memfault-go/memfault/chunk"
)

// symbols is what a symbol file says about the firmware.
type symbols struct {
	names   *chunk.Names // nil if it has none
	buildID string       // in hexadecimal, "" if it has none
}

func readSymbols(name string) (*symbols, error) {
	file, err := os.Open(name) //nolint:gosec // the user names the file
	if err != nil {
		return nil, err
	}
	defer func() { _ = file.Close() }() // it was only read
	s := &symbols{}
	if s.names, err = chunk.ReadNames(file); err != nil && !errors.Is(err, chunk.ErrNoNames) {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	id, err := memfault.BuildID(file)
	if err != nil && !errors.Is(err, memfault.ErrNoBuildID) {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	s.buildID = id.ID
	return s, nil
}

// apply adds the names to the events of a message. Names of another build can be wrong, and
// are not used.
func (s *symbols) apply(m *message, f *findings) {
	switch {
	case s == nil:
		return
	case s.names == nil:
		f.add(noNames, m.first)
	}
	if m.coredump != nil && s.isOther(m.coredump.BuildID) {
		f.add(otherBuild, m.first)
	}
	for i := range m.events {
		if s.isOther(m.events[i].BuildID) {
			f.add(otherBuild, m.first)
		} else if s.names != nil && s.names.Apply(m.events[i:i+1]) != nil {
			f.add(otherNames, m.first)
		}
	}
}

// isOther reports whether a build ID, or the start of one, is not that of the symbol file.
func (s *symbols) isOther(id []byte) bool {
	return s.buildID != "" && len(id) > 0 && !strings.HasPrefix(s.buildID, hex.EncodeToString(id))
}
