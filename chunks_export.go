package memfault

import (
	"errors"
	"fmt"
	"io"
	"iter"

	"github.com/memfault-go/memfault/internal/chunkexport"
)

// ChunkExportError is a line of a log that holds a damaged chunk.
type ChunkExportError struct {
	Line int // from 1
	Err  error
}

// Error names the line.
func (e *ChunkExportError) Error() string {
	return fmt.Sprintf("memfault: line %d holds a damaged chunk: %v", e.Line, e.Err)
}

// Unwrap returns what is wrong with the line.
func (e *ChunkExportError) Unwrap() error { return e.Err }

// DecodeChunkExport reads the chunks in a log of any size, in their order. A line holds
// a chunk in the form in which the firmware SDK's data export prints it, MC:<base64>:
// anywhere in the line, or it is nothing but hexadecimal digits, four pairs or more.
// Other lines are passed over.
//
// A damaged line is a *ChunkExportError, and reading goes on behind it; an error of the
// reader comes last.
func DecodeChunkExport(log io.Reader) iter.Seq2[[]byte, error] {
	return func(yield func([]byte, error) bool) {
		if log == nil {
			yield(nil, invalid("the reader is nil"))
			return
		}
		for chunk, err := range chunkexport.Decode(log) {
			var damage *chunkexport.Error
			switch {
			case errors.As(err, &damage):
				err = &ChunkExportError{damage.Line, damage.Err}
			case err != nil:
				err = fmt.Errorf("memfault: reading a chunk export: %w", err)
			}
			if !yield(chunk, err) {
				return
			}
		}
	}
}
