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

// reply returns a response or an error.
type reply func() (*http.Response, error)

// whole returns a response with the given body.
func whole(code int, body string, header ...string) reply {
	return func() (*http.Response, error) {
		resp := &http.Response{StatusCode: code, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(body)), ContentLength: int64(len(body))}
		for i := 0; i < len(header); i += 2 {
			resp.Header.Set(header[i], header[i+1])
		}
		return resp, nil
	}
}

// unsized returns a response with a body of unknown length.
func unsized(code int, body string, header ...string) reply {
	return func() (*http.Response, error) {
		resp, err := whole(code, body, header...)()
		resp.ContentLength = -1
		return resp, err
	}
}

// breaks returns a response with a body of the given length whose connection breaks after a
// part.
func breaks(code, length int, part string, header ...string) reply {
	return func() (*http.Response, error) {
		resp, err := whole(code, "", header...)()
		resp.ContentLength = int64(length)
		resp.Body = io.NopCloser(io.MultiReader(strings.NewReader(part), iotest.ErrReader(errReset)))
		return resp, err
	}
}

var errStatus = errors.New("unsuccessful response")

// fails returns an attempt without a successful response.
func fails() (*http.Response, error) { return nil, errStatus }

// server is a Source that gives the replies of a list, the last one again and again.
type server struct {
	replies []reply
	most    int // attempts; 5 if 0
	stop    error

	seen   []http.Header
	waits  []int
	causes []error
}

func (s *server) source() resume.Source {
	if s.most == 0 {
		s.most = 5
	}
	return resume.Source{
		Fetch: func(header http.Header) (*http.Response, error) {
			s.seen = append(s.seen, header)
			return s.replies[min(len(s.seen), len(s.replies))-1]()
		},
		Retry: func(waits int, cause error) error {
			s.waits, s.causes = append(s.waits, waits), append(s.causes, cause)
			return s.stop
		},
		MaxAttempts: s.most,
	}
}

// read reads a whole file.
func (s *server) read() (string, *resume.Reader, error) {
	file, err := resume.Open(s.source())
	if err != nil {
		return "", nil, err
	}
	content, err := io.ReadAll(file)
	return string(content), file, err
}

func (s *server) ranges() []string {
	var ranges []string
	for _, header := range s.seen {
		ranges = append(ranges, header.Get("Range"))
	}
	return ranges
}

const (
	v1, v2          = `"v1"`, `"v2"`
	monday, tuesday = "Mon, 23 Feb 2026 10:00:00 GMT", "Tue, 24 Feb 2026 10:00:00 GMT"
)

type replies []reply

// requireFile reads a file, which must be "0123456789" if fail is empty.
func requireFile(t *testing.T, all replies, fail string) *server {
	t.Helper()
	s := &server{replies: all}
	content, file, err := s.read()
	assert.Len(t, s.seen, len(all))
	if fail != "" {
		require.ErrorContains(t, err, fail)
		return s
	}
	require.NoError(t, err)
	assert.Equal(t, "0123456789", content)
	assert.Equal(t, int64(10), file.Size())
	sum := sha256.Sum256([]byte("0123456789"))
	assert.Equal(t, sum[:], file.SHA256())
	return s
}

// The file has a strong validator, so its rest is requested.
func TestReader_RestOfFile(t *testing.T) {
	first := breaks(200, 10, "01234", "ETag", v1, "Last-Modified", monday)
	open := breaks(200, -1, "01234", "ETag", v1)
	rest := func(content, span string, header ...string) reply {
		return whole(206, content, append([]string{"Content-Range", span, "ETag", v1}, header...)...)
	}
	all := whole(200, "0123456789", "ETag", v1)
	for name, c := range map[string]struct {
		replies replies
		fail    string
	}{
		"rest":                     {replies{first, rest("56789", "bytes 5-9/10")}, ""},
		"total unknown":            {replies{first, rest("56789", "bytes 5-9/*")}, ""},
		"two parts":                {replies{first, rest("56", "bytes 5-6/10"), rest("789", "bytes 7-9/10")}, ""},
		"part without error":       {replies{first, unsized(206, "56", "Content-Range", "bytes 5-9/10", "ETag", v1), rest("789", "bytes 7-9/10")}, ""},
		"longer than said":         {replies{first, unsized(206, "56789ABC", "Content-Range", "bytes 5-9/10", "ETag", v1)}, ""},
		"broken repeatedly":        {replies{first, breaks(206, 5, "56", "Content-Range", "bytes 5-9/10", "ETag", v1), breaks(206, 3, "", "Content-Range", "bytes 7-9/10", "ETag", v1), fails, rest("789", "bytes 7-9/10")}, ""},
		"another part":             {replies{first, rest("6789", "bytes 6-9/10")}, "not the requested part"},
		"no Content-Range":         {replies{first, whole(206, "56789", "ETag", v1)}, "not the requested part"},
		"start not a number":       {replies{first, rest("56789", "bytes x-9/10")}, "not the requested part"},
		"total not a number":       {replies{first, rest("56789", "bytes 5-9/x")}, "not the requested part"},
		"total too large":          {replies{first, rest("56789", "bytes 5-9/99999999999999999999")}, "not the requested part"},
		"part beyond the end":      {replies{open, rest("56789", "bytes 5-9/3")}, "not the requested part"},
		"negative total":           {replies{open, rest("56789", "bytes 5-9/-10")}, "not the requested part"},
		"another length":           {replies{first, rest("56789A", "bytes 5-10/11")}, "changed"},
		"another tag":              {replies{first, whole(206, "56789", "Content-Range", "bytes 5-9/10", "ETag", v2)}, "changed"},
		"another date":             {replies{breaks(200, 10, "01234", "Last-Modified", monday, "Date", tuesday), whole(206, "56789", "Content-Range", "bytes 5-9/10", "Last-Modified", tuesday, "Date", tuesday)}, "changed"},
		"same date":                {replies{breaks(200, 10, "01234", "Last-Modified", monday, "Date", tuesday), whole(206, "56789", "Content-Range", "bytes 5-9/10", "Last-Modified", monday, "Date", tuesday)}, ""},
		"no tag":                   {replies{first, whole(206, "ABCDE", "Content-Range", "bytes 5-9/10", "Last-Modified", monday), all}, ""},
		"weak tag":                 {replies{first, whole(206, "ABCDE", "Content-Range", "bytes 5-9/10", "ETag", "W/"+v1), all}, ""},
		"no tag, then break":       {replies{first, whole(206, "ABCDE", "Content-Range", "bytes 5-9/10"), breaks(200, 10, "0123456", "ETag", v1), all}, ""},
		"whole":                    {replies{first, all}, ""},
		"whole, broken early":      {replies{first, breaks(200, 10, "012", "ETag", v1), breaks(200, 10, "0123456", "ETag", v1), all}, ""},
		"whole, another tag":       {replies{first, whole(200, "0123456789", "ETag", v2)}, "changed"},
		"whole, another length":    {replies{first, whole(200, "0123456789A", "ETag", v1)}, "changed"},
		"whole, another beginning": {replies{first, whole(200, "ABCDE56789", "ETag", v1)}, "changed"},
		"202":                      {replies{first, whole(202, "0123456789")}, "not the whole file"},
		"no such range":            {replies{first, whole(416, "", "Content-Range", "bytes */3"), whole(200, "012")}, "changed"},
		"size unknown":             {replies{open, rest("56789", "bytes 5-9/10")}, ""},
		"size unknown, two parts":  {replies{open, rest("56", "bytes 5-9/10"), rest("789", "bytes 7-9/10")}, ""},
		"at the end, size unknown": {replies{breaks(200, -1, "0123456789", "ETag", v1), whole(416, "", "Content-Range", "bytes */10"), all}, ""},
		"beyond the end":           {replies{breaks(200, -1, "0123456789", "ETag", v1), whole(416, "", "Content-Range", "bytes */4"), whole(200, "0123")}, "changed"},
	} {
		t.Run(name, func(t *testing.T) {
			s := requireFile(t, c.replies, c.fail)
			assert.Equal(t, http.Header{"Accept-Encoding": {"identity"}}, s.seen[0])
			assert.NotEmpty(t, s.seen[1].Get("Range"))
		})
	}
}

// Without a strong validator, only the whole file is requested, and its beginning must be
// the same.
func TestReader_WholeFileAgain(t *testing.T) {
	plain, open := breaks(200, 10, "01234"), breaks(200, -1, "01234")
	for name, c := range map[string]struct {
		replies replies
		fail    string
	}{
		"same length":                      {replies{plain, whole(200, "0123456789")}, ""},
		"nothing known":                    {replies{open, unsized(200, "0123456789")}, ""},
		"length known later":               {replies{open, whole(200, "0123456789")}, ""},
		"length not repeated":              {replies{plain, unsized(200, "0123456789")}, ""},
		"longer, no length":                {replies{plain, unsized(200, "0123456789A")}, "changed"},
		"shorter, no length":               {replies{plain, unsized(200, "01234567"), unsized(200, "0123456789")}, ""},
		"broken at the end":                {replies{plain, breaks(200, -1, "0123456789"), whole(200, "0123456789")}, ""},
		"shorter than offset":              {replies{open, unsized(200, "0123")}, "changed"},
		"shorter, length known":            {replies{open, whole(200, "0123")}, "changed"},
		"another beginning":                {replies{plain, whole(200, "ABCDE56789")}, "changed"},
		"another length":                   {replies{plain, whole(200, "0123456789A")}, "changed"},
		"same weak tag":                    {replies{breaks(200, 10, "01234", "ETag", "W/"+v1), whole(200, "0123456789", "ETag", "W/"+v1)}, ""},
		"another beginning, same weak tag": {replies{breaks(200, 10, "01234", "ETag", "W/"+v1), whole(200, "ABCDE56789", "ETag", "W/"+v1)}, "changed"},
		"another weak tag":                 {replies{breaks(200, 10, "01234", "ETag", "W/"+v1), whole(200, "0123456789", "ETag", "W/"+v2)}, "changed"},
		"another date":                     {replies{breaks(200, 10, "01234", "Last-Modified", monday), whole(200, "0123456789", "Last-Modified", tuesday)}, ""},
		"part not asked for":               {replies{plain, whole(206, "56789", "Content-Range", "bytes 5-9/10")}, "not the whole file"},
		"broken repeatedly":                {replies{plain, breaks(200, 10, "0123"), breaks(200, 10, "01234"), breaks(200, 10, "0123456"), whole(200, "0123456789")}, ""},
		"tag known later":                  {replies{plain, breaks(200, 10, "0123456", "ETag", v1), whole(206, "789", "Content-Range", "bytes 7-9/10", "ETag", v1)}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			s := requireFile(t, c.replies, c.fail)
			assert.Empty(t, s.ranges()[1])
		})
	}
}

// A server that ignores If-Range, or has no such range, is not asked for a range again.
func TestReader_NoRangesAgain(t *testing.T) {
	first, broken := breaks(200, 10, "01234", "ETag", v1), breaks(200, 10, "0123456", "ETag", v1)
	for _, refusal := range []reply{whole(206, "56789", "Content-Range", "bytes 5-9/10"), whole(416, "")} {
		s := requireFile(t, replies{first, refusal, broken, whole(200, "0123456789", "ETag", v1)}, "")
		assert.Equal(t, []string{"", "bytes=5-", "", ""}, s.ranges())
	}
}

func TestReader_BeforeFirstByte(t *testing.T) {
	requireFile(t, replies{whole(206, "01234", "Content-Range", "bytes 0-4/10")}, "not the whole file")
	requireFile(t, replies{whole(202, "accepted")}, "not the whole file")
	requireFile(t, replies{unsized(200, "0123456789")}, "")
	requireFile(t, replies{fails, fails, whole(200, "0123456789")}, "")
	s := requireFile(t, replies{breaks(200, 3, "", "ETag", v2), whole(200, "0123456789", "ETag", v1)}, "")
	assert.Equal(t, []string{"", ""}, s.ranges(), "nothing was read that another file must match")
}

func TestReader_UnusableResponse(t *testing.T) {
	s := &server{replies: []reply{whole(202, "accepted", "X-Request-Id", "1")}}
	_, _, err := s.read()
	var unusable *resume.UnusableError
	require.ErrorAs(t, err, &unusable)
	assert.Equal(t, "1", unusable.Response.Header.Get("X-Request-Id"))
}

func TestReader_Validator(t *testing.T) {
	const mondayLate, mondayLater = "Mon, 23 Feb 2026 10:00:59 GMT", "Mon, 23 Feb 2026 10:01:00 GMT"
	for name, c := range map[string]struct {
		header []string
		want   string
	}{
		"strong tag":              {[]string{"ETag", v1, "Last-Modified", monday, "Date", tuesday}, v1},
		"weak tag":                {[]string{"ETag", "W/" + v1, "Last-Modified", monday, "Date", tuesday}, ""},
		"tag without quotes":      {[]string{"ETag", "v1", "Last-Modified", monday, "Date", tuesday}, ""},
		"half a tag":              {[]string{"ETag", `"v1`}, ""},
		"two tags":                {[]string{"ETag", `"v1", "v2"`}, ""},
		"empty tag":               {[]string{"ETag", `""`}, ""},
		"old date":                {[]string{"Last-Modified", monday, "Date", tuesday}, monday},
		"date 60 s old":           {[]string{"Last-Modified", monday, "Date", mondayLater}, monday},
		"date 59 s old":           {[]string{"Last-Modified", monday, "Date", mondayLate}, ""},
		"date without a response": {[]string{"Last-Modified", monday}, ""},
		"date of the future":      {[]string{"Last-Modified", tuesday, "Date", monday}, ""},
		"not a date":              {[]string{"Last-Modified", "yesterday", "Date", monday}, ""},
		"nothing":                 {nil, ""},
	} {
		t.Run(name, func(t *testing.T) {
			s := &server{replies: []reply{breaks(200, 10, "01234", c.header...), fails}, most: 2}
			_, file, err := s.read()
			require.ErrorIs(t, err, errStatus)
			assert.Equal(t, c.want, s.seen[1].Get("If-Range"))
			assert.Equal(t, c.want != "", s.seen[1].Get("Range") == "bytes=5-", "a range needs a validator")
			if len(c.header) > 0 {
				assert.Equal(t, c.header[1], file.Header().Get(c.header[0]))
			}
		})
	}
}

// Only attempts without a new byte count, whatever made them fail.
func TestReader_CountsAttempts(t *testing.T) {
	first := breaks(200, 10, "01234", "ETag", v1)
	gap := breaks(206, 5, "", "Content-Range", "bytes 5-9/10", "ETag", v1)
	more := breaks(206, 5, "5", "Content-Range", "bytes 5-9/10", "ETag", v1)
	for name, c := range map[string]struct {
		replies replies
		want    int
		waits   []int
	}{
		"never":               {replies{fails}, 5, []int{0, 1, 2, 3}},
		"no byte":             {replies{breaks(200, 10, "")}, 5, []int{0, 1, 2, 3}},
		"after the beginning": {replies{first, gap}, 6, []int{0, 1, 2, 3, 4}},
		"mixed":               {replies{fails, first, fails, gap, fails, gap, fails}, 7, []int{0, 0, 1, 2, 3, 4}},
		"progress":            {replies{first, gap, fails, more, fails}, 9, []int{0, 1, 2, 0, 1, 2, 3, 4}},
		"beginning only":      {replies{breaks(200, 10, "01234"), breaks(200, 10, "0123"), breaks(200, 10, "01234")}, 6, []int{0, 1, 2, 3, 4}},
	} {
		t.Run(name, func(t *testing.T) {
			s := &server{replies: c.replies}
			_, _, err := s.read()
			require.Error(t, err)
			assert.Len(t, s.seen, c.want)
			assert.Equal(t, c.waits, s.waits)
		})
	}
}

func TestReader_OneAttempt(t *testing.T) {
	s := &server{replies: []reply{breaks(200, 10, "01234", "ETag", v1)}, most: 1}
	content, file, err := s.read()
	var lost *resume.LostError
	require.ErrorAs(t, err, &lost)
	require.ErrorIs(t, err, errReset)
	assert.Equal(t, "01234", content)
	assert.Empty(t, s.waits)
	_, again := file.Read(make([]byte, 1))
	require.Equal(t, err, again, "the error is final")
	assert.Len(t, s.seen, 1)
}

func TestReader_RetryFails(t *testing.T) {
	stop := errors.New("stop")
	s := &server{replies: []reply{breaks(200, 10, "01234")}, stop: stop}
	_, _, err := s.read()
	require.Equal(t, stop, err)
	var lost *resume.LostError
	require.ErrorAs(t, s.causes[0], &lost)
	s = &server{replies: []reply{fails}, stop: stop}
	_, _, err = s.read()
	require.Equal(t, stop, err)
	assert.Equal(t, []error{errStatus}, s.causes)
}

func TestReader_ShortBody(t *testing.T) {
	s := &server{replies: []reply{func() (*http.Response, error) {
		resp, err := whole(200, "0123")()
		resp.ContentLength = 10
		return resp, err
	}}, most: 1}
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
	for _, tag := range []string{v1, "W/" + v1} {
		first := counted(breaks(200, 10, "01234", "ETag", tag))
		for _, last := range []reply{
			whole(206, "56789", "Content-Range", "bytes 5-9/10", "ETag", v1), whole(206, "6789", "Content-Range", "bytes 6-9/10"),
			whole(206, "56789", "Content-Range", "bytes 5-9/10"), whole(416, "gone"),
			whole(200, "ABCDE56789"), whole(200, "0123456789"), unsized(200, "0123456789A"), unsized(200, "01"), whole(202, ""),
		} {
			s := &server{replies: []reply{first, counted(last)}}
			_, file, _ := s.read()
			require.NoError(t, file.Close())
			require.NoError(t, file.Close())
			assert.Zero(t, open)
			_, err := file.Read(make([]byte, 1))
			require.Error(t, err)
		}
	}
	_, _, _ = (&server{replies: []reply{counted(whole(202, "accepted"))}}).read()
	assert.Zero(t, open)
}

func TestReader_ReadAfterClose(t *testing.T) {
	s := &server{replies: []reply{whole(200, "0123456789")}}
	file, err := resume.Open(s.source())
	require.NoError(t, err)
	require.NoError(t, file.Close())
	_, err = file.Read(make([]byte, 1))
	require.ErrorContains(t, err, "closed")
	assert.Len(t, s.seen, 1)
}

func TestReader_NoBody(t *testing.T) {
	s := &server{replies: []reply{func() (*http.Response, error) {
		return &http.Response{StatusCode: 204, Header: http.Header{}}, nil
	}}}
	content, _, err := s.read()
	require.NoError(t, err)
	assert.Empty(t, content)
}

type closing struct {
	io.ReadCloser
	closed func()
}

func (c *closing) Close() error {
	c.closed()
	return c.ReadCloser.Close()
}
