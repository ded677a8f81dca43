package resume_test

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/memfault-go/memfault/internal/resume"
)

// moodyServer has two versions of a file. Each byte of its script decides about one response.
type moodyServer struct {
	versions [2][]byte
	script   []byte
	requests int
	version  int
}

// The bits of a byte of the script.
const (
	noResponse  = 1 << iota // the connection fails
	otherBefore             // the file changes before the response
	noRanges                // the whole file, also if a part was requested
	careless                // a part of the present file, even if If-Range does not match
	unsizedBody
	breaksOff // after the number of bytes that the next byte is
	weakTag
	noTag
)

func (m *moodyServer) next() byte {
	if len(m.script) == 0 {
		return 0
	}
	b := m.script[0]
	m.script = m.script[1:]
	return b
}

func (m *moodyServer) fetch(header http.Header) (*http.Response, error) {
	if m.requests++; m.requests > 2000 {
		return nil, errors.New("too many requests")
	}
	mood := m.next()
	if mood&otherBefore != 0 {
		m.version = 1 - m.version
	}
	if mood&noResponse != 0 {
		return nil, errStatus
	}
	content, tag := m.versions[m.version], fmt.Sprintf(`"v%d"`, m.version)
	resp := &http.Response{StatusCode: http.StatusOK, Header: http.Header{}}
	start := 0
	if span := header.Get("Range"); span != "" && mood&noRanges == 0 && (mood&careless != 0 || header.Get("If-Range") == tag) {
		start, _ = strconv.Atoi(strings.Trim(span, "bytes=-"))
		if start >= len(content) {
			return &http.Response{StatusCode: http.StatusRequestedRangeNotSatisfiable, Header: http.Header{}, Body: http.NoBody}, nil
		}
		resp.StatusCode = http.StatusPartialContent
		resp.Header.Set("Content-Range", fmt.Sprintf("bytes %d-%d/%d", start, len(content)-1, len(content)))
	}
	switch {
	case mood&noTag != 0:
	case mood&weakTag != 0:
		resp.Header.Set("ETag", "W/"+tag)
	default:
		resp.Header.Set("ETag", tag)
	}
	content = content[start:]
	resp.ContentLength = int64(len(content))
	if mood&unsizedBody != 0 {
		resp.ContentLength = -1
	}
	resp.Body = io.NopCloser(bytes.NewReader(content))
	if mood&breaksOff != 0 {
		part := content[:min(int(m.next()), len(content))]
		resp.Body = io.NopCloser(io.MultiReader(bytes.NewReader(part), iotest.ErrReader(errReset)))
	}
	return resp, nil
}

// FuzzReader reads a file from a server that breaks connections, changes the file and ignores
// preconditions. What is read is always the beginning of one version, and the whole of it
// without an error.
func FuzzReader(f *testing.F) {
	f.Add([]byte("0123456789"), []byte("ABCDEFGHIJ"), []byte{breaksOff, 5, breaksOff, 2})
	f.Add([]byte("0123456789"), []byte("01234FGHIJKL"), []byte{breaksOff, 5, otherBefore, breaksOff, 7})
	f.Add([]byte("0123456789"), []byte("01234FGHIJ"), []byte{breaksOff | noTag, 5, otherBefore | careless | noTag})
	f.Add([]byte("0123456789"), []byte("01234"), []byte{breaksOff | unsizedBody, 5, otherBefore | careless, 0})
	f.Add([]byte("0123456789"), []byte("01234FGHIJ"), []byte{breaksOff | weakTag, 5, otherBefore | noRanges | unsizedBody | weakTag, noResponse})
	f.Add([]byte{}, []byte("x"), []byte{breaksOff, 0, otherBefore})
	f.Fuzz(func(t *testing.T, first, second, script []byte) {
		m := &moodyServer{versions: [2][]byte{first, second}, script: script}
		got, file, err := m.read()
		whole, begins := false, false
		for _, version := range m.versions {
			whole = whole || bytes.Equal(got, version)
			begins = begins || bytes.HasPrefix(version, got)
		}
		require.True(t, begins, "%q is of neither version", got)
		if err == nil {
			require.True(t, whole, "%q is not whole", got)
		}
		if file != nil {
			sum := sha256.Sum256(got)
			assert.Equal(t, sum[:], file.SHA256())
			assert.Equal(t, int64(len(got)), file.Size())
		}
		assert.LessOrEqual(t, m.requests, 5*(len(script)+2), "each attempt without a new byte counts")
	})
}

func (m *moodyServer) read() ([]byte, *resume.Reader, error) {
	file, err := resume.Open(resume.Source{Fetch: m.fetch, Retry: func(int, error) error { return nil }, MaxAttempts: 5})
	if err != nil {
		return nil, nil, err
	}
	content, err := io.ReadAll(file)
	return content, file, err
}

var (
	strictRange = regexp.MustCompile(`^(?i:bytes) ([0-9]{1,18})-([0-9]{1,18})/([0-9]{1,18}|\*)$`)
	firstNumber = regexp.MustCompile(`[0-9]+`)
)

// FuzzReader_ContentRange checks that a part is only used if it is the one requested. The server
// sends the part that begins at the first number of the header.
func FuzzReader_ContentRange(f *testing.F) {
	for _, text := range []string{
		"bytes 5-9/10", "bytes 5-9/*", "bytes 6-9/10", "bytes 5-9/11", "bytes */10", "", "5-9/10", "bytes 5/10", "bytes=5-9/10", "bytes -5-9/10",
		"bytes 0005-9/10", "bytes 5-9/99999999999999999999", "bytes +5-9/+10", "items 5-9/10", "bytes 5-9", "bytes 15-9/10", "bytes 5-3/10",
	} {
		f.Add(text, true)
		f.Add(text, false)
	}
	f.Fuzz(func(t *testing.T, text string, sized bool) {
		const content = "0123456789"
		length := len(content)
		if !sized {
			length = -1
		}
		start, _ := strconv.Atoi(firstNumber.FindString(text))
		part := content[min(max(start, 0), len(content)):]
		s := &server{replies: replies{breaks(200, length, content[:5], "ETag", v1), whole(206, part, "Content-Range", text, "ETag", v1), fails}, most: 3}
		got, _, err := s.read()
		require.True(t, strings.HasPrefix(content, got), "%q was read", got)
		match := strictRange.FindStringSubmatch(text)
		if match == nil {
			require.Error(t, err, "%q is not valid", text)
			return
		}
		from, last, total := size(match[1]), size(match[2]), size(match[3])
		if match[3] == "*" {
			total = len(content)
		}
		if !sized && from == 5 && from <= last && last < total && total < len(content) {
			return // the response does not show that the size is wrong
		}
		require.Equal(t, from == 5 && from <= last && (last < total || match[3] == "*") && total == len(content), err == nil, "%q: %v", text, err)
		if err == nil {
			require.Equal(t, content, got)
		}
	})
}

func size(text string) int {
	n, _ := strconv.Atoi(text)
	return n
}
