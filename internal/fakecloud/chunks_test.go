package fakecloud_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/memfault-go/memfault/internal/fakecloud"
)

// framed joins the parts of a multipart body with a header each.
func framed(end string, parts ...string) string {
	return "--b\r\n" + strings.Join(parts, "\r\n--b\r\n") + end
}

func TestChunks_Framing(t *testing.T) {
	const end, plain = "\r\n--b--\r\n", "Content-Length: 2\r\n\r\nab"
	for name, c := range map[string]struct {
		body string
		want []string
	}{
		"length alone":             {framed(end, plain, plain), []string{"ab", "ab"}},
		"without the last CRLF":    {framed("\r\n--b--", plain), []string{"ab"}},
		"iOS framing":              {framed(end, "Content-Length: 2Content-Type: application/octet-stream\r\n\r\nab", "Content-Length: 1Content-Type: application/octet-stream\r\n\r\nc"), []string{"ab", "c"}},
		"lower case, disposition":  {framed(end, "content-disposition: form-data; name=\"chunk0\"\r\ncontent-type: application/octet-stream\r\ncontent-length:2\r\n\r\nab"), []string{"ab"}},
		"boundary in the content":  {framed(end, "Content-Length: 9\r\n\r\na\r\n--b--\r\n"), nil},
		"delimiter in the content": {framed(end, "Content-Length: 8\r\n\r\na\r\n--b\r\n"), []string{"a\r\n--b\r\n"}},
		"no length":                {framed(end, "Content-Type: application/octet-stream\r\n\r\nab"), nil},
		"length too small":         {framed(end, "Content-Length: 1\r\n\r\nab"), nil},
		"length too large":         {framed(end, "Content-Length: 3\r\n\r\nab"), nil},
		"empty part":               {framed(end, "Content-Length: 0\r\n\r\n"), nil},
		"length of another header": {framed(end, "X-Content-Length: 2\r\n\r\nab"), nil},
		"bare newlines":            {strings.ReplaceAll(framed(end, plain), "\r\n", "\n"), nil},
		"not closed":               {framed("\r\n--b\r\n", plain), nil},
		"no part":                  {"--b--\r\n", nil},
	} {
		x := newTester(t)
		a := x.chunk("S1", c.body, "Content-Type", `multipart/mixed; boundary="b"`)
		var got []string
		for _, chunk := range x.cloud.Chunks("S1") {
			got = append(got, string(chunk))
		}
		assert.Equal(t, c.want, got, name)
		if c.want == nil {
			assert.Equal(t, 400, a.status, name)
		}
	}
}

func TestChunks_Base64(t *testing.T) {
	x := newTester(t)
	x.ok(x.chunk("S1", "AAECAw==", "Content-Encoding", "base64"))
	assert.Equal(t, [][]byte{{0, 1, 2, 3}}, x.cloud.Chunks("S1"))
	assert.Equal(t, 400, x.chunk("S1", "\x00\x01", "Content-Encoding", "base64").status)
	x.ok(x.chunk("S1", "AA==", "Content-Encoding", "utf-8"))
	assert.Equal(t, []byte("AA=="), x.cloud.Chunks("S1")[1], "other encodings are ignored")
}

func TestViolations_ChunkOrder(t *testing.T) {
	for name, c := range map[string]struct {
		// requests are the chunks of each request, one letter each, and its outcome: = for
		// accepted, ! for 503, ~ for 429, / for dropped, ? for accepted without a response, and
		// 0 for 400.
		requests string
		inOrder  bool
	}{
		"no failure":                       {"A= B= CD=", true},
		"retried before the next":          {"A! A= B=", true},
		"retried in a larger batch":        {"A~ AB! ABC= D=", true},
		"retried in halves":                {"AB! A= BC=", true},
		"dropped, then retried":            {"A/ A/ A= B=", true},
		"overtaken":                        {"A! B= A=", false},
		"overtaken after 429":              {"A~ B= A=", false},
		"overtaken after a drop":           {"A/ B= A=", false},
		"exchanged in the retry":           {"AB! BA=", false},
		"second half first":                {"AB! B= A=", false},
		"given up":                         {"A! B= C=", true},
		"rejected, then sent again":        {"A0 B= A=", true},
		"rejected after a failure":         {"A! A0 B= A=", true},
		"accepted without a response":      {"A? A= B=", true},
		"lost response, then a failure":    {"A? A! A= B=", true},
		"sent again after a kill":          {"A= B! A= B= C=", true},
		"sent again in a batch":            {"A= B! AB! A= B= C=", true},
		"sent again, then overtaken":       {"A= B! A= C= B=", false},
		"same content twice":               {"AA! AA= B=", true},
		"same content in the next request": {"A! A! A= A= B=", true},
		"same content joins the retry":     {"A! AA! A= B= A=", false},
		"same content, one overtaken":      {"AA! A= B= A=", false},
	} {
		x := newTester(t)
		x.cloud.AcceptDamagedChunks() // they are letters
		for request := range strings.FieldsSeq(c.requests) {
			x.sendChunks(request)
		}
		var want []string
		if !c.inOrder {
			want = []string{"chunks of S1 out of order"}
		}
		assert.Equal(t, want, x.cloud.Violations(), name)
	}
}

// sendChunks sends a request of TestViolations_ChunkOrder.
func (x *tester) sendChunks(request string) {
	chunks, outcome := request[:len(request)-1], request[len(request)-1]
	fault, ok := map[byte]fakecloud.Fault{
		'!': {Status: 503}, '~': {Status: 429}, '/': {Drop: true}, '?': {DropResponse: true}, '0': {Status: 400},
	}[outcome]
	if ok {
		fault.Device, fault.Times = "S1", 1
		x.cloud.Fail(fault)
		defer x.cloud.Heal()
	}
	var parts []string
	for chunk := range strings.SplitSeq(chunks, "") {
		parts = append(parts, "Content-Length: 1\r\n\r\n"+chunk)
	}
	defer func() { _ = recover() }() // the abort of a dropped request
	x.chunk("S1", framed("\r\n--b--\r\n", parts...), "Content-Type", "multipart/mixed; boundary=b")
}
