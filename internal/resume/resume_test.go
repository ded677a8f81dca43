package resume_test

import (
	"crypto/sha256"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/memfault-go/memfault/internal/resume"
)

var errReset = errors.New("connection reset")

// reply makes a response or an error.
type reply func() (*http.Response, error)

// whole makes a response with the given body.
func whole(code int, body string, header ...string) reply {
	return func() (*http.Response, error) {
		resp := &http.Response{StatusCode: code, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(body)), ContentLength: int64(len(body))}
		for i := 0; i < len(header); i += 2 {
			resp.Header.Set(header[i], header[i+1])
		}
		return resp, nil
	}
}

// unsized makes a response with a body of unknown length.
func unsized(code int, body string, header ...string) reply {
	return func() (*http.Response, error) {
		resp, err := whole(code, body, header...)()
		resp.ContentLength = -1
		return resp, err
	}
}

// breaks makes a response with a body of the given length whose connection breaks after a part.
func breaks(code, length int, part string, header ...string) reply {
	return func() (*http.Response, error) {
		resp, err := whole(code, "", header...)()
		resp.ContentLength = int64(length)
		resp.Body = io.NopCloser(io.MultiReader(strings.NewReader(part), iotest.ErrReader(errReset)))
		return resp, err
	}
}

var errStatus = errors.New("unsuccessful response")

// fails makes a response that is not successful.
func fails(code int, header ...string) reply {
	return func() (*http.Response, error) {
		resp, _ := whole(code, "", header...)()
		return resp, errStatus
	}
}

// server is a Source that gives the replies of a list, the last one again and again.
type server struct {
	replies []reply
	seen    []http.Header
	waits   []int
	most    int // attempts without a byte that it allows
}

func (s *server) source() resume.Source {
	return resume.Source{
		Fetch: func(header http.Header) (*http.Response, error) {
			s.seen = append(s.seen, header)
			return s.replies[min(len(s.seen), len(s.replies))-1]()
		},
		Wait: func(failures int, cause error) error {
			if s.waits = append(s.waits, failures); failures >= s.most {
				return cause
			}
			return nil
		},
	}
}

// read reads a whole file.
func (s *server) read() (string, *resume.Reader, error) {
	if s.most == 0 {
		s.most = 5
	}
	file, err := resume.Open(s.source())
	if err != nil {
		return "", nil, err
	}
	content, err := io.ReadAll(file)
	return string(content), file, err
}

const (
	v1, v2          = `"v1"`, `"v2"`
	monday, tuesday = "Mon, 23 Feb 2026 10:00:00 GMT", "Tue, 24 Feb 2026 10:00:00 GMT"
)

func TestReader_Resume(t *testing.T) {
	type replies []reply
	first := breaks(200, 10, "01234", "ETag", v1, "Last-Modified", monday)
	plain := breaks(200, 10, "01234")
	open := breaks(200, -1, "01234")
	for name, c := range map[string]struct {
		replies replies
		fail    string // empty: the file must be "0123456789"
	}{
		"rest":                         {replies{first, whole(206, "56789", "Content-Range", "bytes 5-9/10", "ETag", v1)}, ""},
		"rest without validator":       {replies{plain, whole(206, "56789", "Content-Range", "bytes 5-9/10")}, ""},
		"rest, total unknown":          {replies{plain, whole(206, "56789", "Content-Range", "bytes 5-9/*")}, ""},
		"rest in two parts":            {replies{first, whole(206, "56", "Content-Range", "bytes 5-6/10"), whole(206, "789", "Content-Range", "bytes 7-9/10")}, ""},
		"part without error":           {replies{breaks(200, 10, "012"), unsized(206, "34", "Content-Range", "bytes 3-9/10"), whole(206, "56789", "Content-Range", "bytes 5-9/10")}, ""},
		"weak tag":                     {replies{first, whole(206, "56789", "Content-Range", "bytes 5-9/10", "ETag", "W/"+v1)}, ""},
		"broken repeatedly":            {replies{first, breaks(206, 5, "56", "Content-Range", "bytes 5-9/10"), breaks(206, 3, "", "Content-Range", "bytes 7-9/10"), whole(206, "789", "Content-Range", "bytes 7-9/10")}, ""},
		"another part":                 {replies{first, whole(206, "6789", "Content-Range", "bytes 6-9/10")}, "another part"},
		"no Content-Range":             {replies{first, whole(206, "56789")}, "another part"},
		"start not a number":           {replies{first, whole(206, "56789", "Content-Range", "bytes x-9/10")}, "another part"},
		"total not a number":           {replies{first, whole(206, "56789", "Content-Range", "bytes 5-9/x")}, "another part"},
		"rest of another length":       {replies{first, whole(206, "56789A", "Content-Range", "bytes 5-10/11")}, "changed"},
		"rest of another tag":          {replies{first, whole(206, "56789", "Content-Range", "bytes 5-9/10", "ETag", v2)}, "changed"},
		"rest of another date":         {replies{breaks(200, 10, "01234", "Last-Modified", monday), whole(206, "56789", "Content-Range", "bytes 5-9/10", "Last-Modified", tuesday)}, "changed"},
		"rest longer than said":        {replies{first, unsized(206, "56789ABC", "Content-Range", "bytes 5-9/10")}, ""},
		"whole":                        {replies{first, whole(200, "0123456789", "ETag", v1)}, ""},
		"whole, same length":           {replies{plain, whole(200, "0123456789")}, ""},
		"whole, same date":             {replies{breaks(200, -1, "01234", "Last-Modified", monday), unsized(200, "0123456789", "Last-Modified", monday)}, ""},
		"whole, broken early":          {replies{first, breaks(200, 10, "012", "ETag", v1), breaks(200, 10, "0123456", "ETag", v1), whole(200, "0123456789", "ETag", v1)}, ""},
		"whole, another tag":           {replies{first, whole(200, "0123456789", "ETag", v2)}, "changed"},
		"whole, another length":        {replies{first, whole(200, "0123456789A", "ETag", v1)}, "changed"},
		"whole, another beginning":     {replies{plain, whole(200, "ABCDE56789")}, "changed"},
		"whole, nothing known":         {replies{open, unsized(200, "0123456789")}, "cannot continue"},
		"part beyond the whole":        {replies{open, whole(206, "56789", "Content-Range", "bytes 5-9/3")}, "another part"},
		"negative total":               {replies{open, whole(206, "56789", "Content-Range", "bytes 5-9/-10")}, "another part"},
		"total too large":              {replies{first, whole(206, "56789", "Content-Range", "bytes 5-9/99999999999999999999")}, "another part"},
		"gone":                         {replies{first, fails(404)}, errStatus.Error()},
		"shorter now":                  {replies{first, fails(416, "Content-Range", "bytes */3")}, errStatus.Error()},
		"first response is a part":     {replies{whole(206, "01234", "Content-Range", "bytes 0-4/10")}, "not the whole file"},
		"first response is 202":        {replies{whole(202, "accepted")}, "not the whole file"},
		"another file before any byte": {replies{breaks(200, 3, "", "ETag", v2), whole(200, "0123456789", "ETag", v1)}, ""},
		"size unknown":                 {replies{unsized(200, "0123456789")}, ""},
		"size unknown, rest":           {replies{open, whole(206, "56789", "Content-Range", "bytes 5-9/10")}, ""},
		"size unknown, short rest":     {replies{open, whole(206, "56", "Content-Range", "bytes 5-9/10"), whole(206, "789", "Content-Range", "bytes 7-9/10")}, ""},
		"size unknown, at the end":     {replies{breaks(200, -1, "0123456789"), fails(416, "Content-Range", "bytes */10")}, ""},
		"size unknown, beyond the end": {replies{breaks(200, -1, "0123456789"), fails(416, "Content-Range", "bytes */4")}, errStatus.Error()},
	} {
		t.Run(name, func(t *testing.T) {
			s := &server{replies: c.replies}
			content, file, err := s.read()
			assert.Len(t, s.seen, len(c.replies))
			if c.fail != "" {
				require.ErrorContains(t, err, c.fail)
				return
			}
			require.NoError(t, err)
			assert.Equal(t, "0123456789", content)
			assert.Equal(t, int64(10), file.Size())
			sum := sha256.Sum256([]byte("0123456789"))
			assert.Equal(t, sum[:], file.SHA256())
		})
	}
}

func TestReader_UnusableResponse(t *testing.T) {
	s := &server{replies: []reply{whole(202, "accepted", "X-Request-Id", "1")}}
	_, _, err := s.read()
	var unusable *resume.UnusableError
	require.ErrorAs(t, err, &unusable)
	assert.Equal(t, "1", unusable.Response.Header.Get("X-Request-Id"))
}

func TestReader_RequestHeader(t *testing.T) {
	for name, c := range map[string]struct {
		header []string
		want   string
	}{
		"strong tag": {[]string{"ETag", v1, "Last-Modified", monday}, v1},
		"weak tag":   {[]string{"ETag", "W/" + v1, "Last-Modified", monday}, monday},
		"date":       {[]string{"Last-Modified", monday}, monday},
		"nothing":    {nil, ""},
	} {
		t.Run(name, func(t *testing.T) {
			s := &server{replies: []reply{breaks(200, 10, "01234", c.header...), whole(206, "56789", "Content-Range", "bytes 5-9/10")}}
			_, file, err := s.read()
			require.NoError(t, err)
			assert.Equal(t, http.Header{"Accept-Encoding": {"identity"}}, s.seen[0])
			assert.Equal(t, "bytes=5-", s.seen[1].Get("Range"))
			assert.Equal(t, c.want, s.seen[1].Get("If-Range"))
			if len(c.header) > 0 {
				assert.Equal(t, c.header[1], file.Header().Get(c.header[0]), "the header is that of the first response")
			}
		})
	}
}

func TestReader_CountsFailures(t *testing.T) {
	s := &server{replies: []reply{breaks(200, 10, "01234"), breaks(206, 5, "5", "Content-Range", "bytes 5-9/10"), breaks(206, 4, "", "Content-Range", "bytes 6-9/10")}}
	_, file, err := s.read()
	require.ErrorIs(t, err, errReset)
	assert.Equal(t, []int{1, 1, 2, 3, 4, 5}, s.waits)
	_, again := file.Read(make([]byte, 1))
	require.ErrorIs(t, again, errReset, "the error is final")
	assert.Len(t, s.waits, 6)
}

func TestReader_ShortBody(t *testing.T) {
	s := &server{replies: []reply{unsized(200, "0123")}, most: 1}
	s.replies[0] = func() (*http.Response, error) {
		resp, err := whole(200, "0123")()
		resp.ContentLength = 10
		return resp, err
	}
	_, _, err := s.read()
	require.ErrorIs(t, err, io.ErrUnexpectedEOF)
}

func TestReader_ClosesBodies(t *testing.T) {
	var open int
	counted := func(make reply) reply {
		return func() (*http.Response, error) {
			resp, err := make()
			open++
			resp.Body = &closing{resp.Body, func() { open-- }}
			return resp, err
		}
	}
	first := counted(breaks(200, 10, "01234"))
	for _, last := range []reply{whole(206, "56789", "Content-Range", "bytes 5-9/10"), whole(206, "6789", "Content-Range", "bytes 6-9/10"), whole(200, "ABCDE56789"), whole(200, "0123456789")} {
		s := &server{replies: []reply{first, counted(last)}}
		_, file, _ := s.read()
		require.NoError(t, file.Close())
		require.NoError(t, file.Close())
		assert.Zero(t, open)
	}
}

type closing struct {
	io.ReadCloser
	closed func()
}

func (c *closing) Close() error {
	c.closed()
	return c.ReadCloser.Close()
}
