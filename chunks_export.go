package memfault

import (
	"errors"
	"fmt"
	"io"
	"iter"

	"github.com/memfault-go/memfault/internal/chunkexport"
)

// ChunkExportError is a damaged chunk in a log. It is of the kind [ErrInvalidArgument].
//
// Each MC: is the start of a chunk, and the chunk is damaged unless base64 and a colon follow
// in the same line, at most 1 MiB of them. There are two exceptions: a space or tab follows,
// or the MC: is itself the end of a chunk. But if base64 and a colon follow right after such a
// chunk, the chunk counts as cut off by the chunk that begins at its end.
//
// A line of hexadecimal digits that begins like a chunk is a damaged chunk if it has more than
// 1 MiB, or if few of its characters are not digits. If the number of characters is odd, or
// blanks between some bytes are missing, it is a damaged chunk only if the line before or after
// it is a chunk in hexadecimal.
type ChunkExportError struct {
	Line   int   // where the chunk begins, from 1
	Offset int64 // the same in bytes, from 0
	Err    error
}

// Error returns the place of the chunk, and what is wrong with it.
func (e *ChunkExportError) Error() string {
	return fmt.Sprintf("memfault: DecodeChunkExport: damaged chunk in line %d, byte %d: %v", e.Line, e.Offset, e.Err)
}

// Is reports whether target is [ErrInvalidArgument].
func (e *ChunkExportError) Is(target error) bool { return target == ErrInvalidArgument }

// Unwrap returns what is wrong with the chunk.
func (e *ChunkExportError) Unwrap() error { return e.Err }

// DecodeChunkExport returns the chunks that the data export of the firmware SDK printed into a
// log of any size, in order. For each damaged chunk it yields a [*ChunkExportError] and
// continues. If the reader fails, it yields the error, of the kind [ErrInvalidArgument], and
// stops; a chunk that the reader cut off is not returned.
//
// A chunk is MC:<base64>: anywhere in the log, even if other text, a terminal escape sequence
// or an escape of JSON touches it. A line of at least 8 hexadecimal digits is a chunk as well if
// it begins with 00, 08, 40, 48, 80 or C0, the possible headers of a chunk; blanks may separate
// its bytes. Lines end with \n, \r\n or \r. Other text in these forms is returned as a chunk.
//
// The log may be in UTF-8 or another superset of ASCII, or in UTF-16 with a byte order mark, as
// PowerShell writes it. Chunks with a damaged MC: and other encodings are not recognized.
func DecodeChunkExport(log io.Reader) iter.Seq2[[]byte, error] {
	return func(yield func([]byte, error) bool) {
		if log == nil {
			yield(nil, invalid("DecodeChunkExport: nil reader"))
			return
		}
		for chunk, err := range chunkexport.Decode(log) {
			var damage *chunkexport.Error
			switch {
			case errors.As(err, &damage):
				err = &ChunkExportError{damage.Line, damage.Offset, damage.Err}
			case err != nil:
				err = invalid("DecodeChunkExport: %w", err)
			}
			if !yield(chunk.Data, err) {
				return
			}
		}
	}
}
