package fakecloud_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/memfault-go/memfault/internal/fakecloud"
)

// wire is a connection to a fake cloud on which requests are written byte by byte, as programs
// in other languages do.
type wire struct {
	*testing.T
	cloud  *fakecloud.Cloud
	conn   net.Conn
	reader *bufio.Reader
	host   string
}

func newWire(t *testing.T) *wire {
	t.Helper()
	cloud := fakecloud.New()
	server := cloud.Serve()
	t.Cleanup(server.Close)
	w := &wire{T: t, cloud: cloud, host: strings.TrimPrefix(server.URL, "http://")}
	w.dial()
	return w
}

func (w *wire) dial() {
	w.Helper()
	conn, err := new(net.Dialer).DialContext(w.Context(), "tcp", w.host)
	require.NoError(w, err)
	w.Cleanup(func() { _ = conn.Close() })
	w.conn, w.reader = conn, bufio.NewReader(conn)
}

// write sends text. {host}, {token} and {key} stand for the address and the credentials, and each
// line feed for a CRLF.
func (w *wire) write(text string) {
	w.Helper()
	text = strings.ReplaceAll(text, "\n", "\r\n")
	text = strings.NewReplacer("{host}", w.host, "{token}", fakecloud.OrgToken, "{key}", fakecloud.ProjectKey).Replace(text)
	_, err := io.WriteString(w.conn, text)
	require.NoError(w, err)
}

// read reads a response to a request with the given method.
func (w *wire) read(method string) answer {
	w.Helper()
	resp, err := http.ReadResponse(w.reader, &http.Request{Method: method})
	require.NoError(w, err)
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	require.NoError(w, err)
	a := answer{status: resp.StatusCode, header: resp.Header, text: string(body)}
	_ = json.Unmarshal(body, &a.body) // not every body is JSON
	return a
}

// send sends a request, in text with a blank line before the body, and reads its response.
func (w *wire) send(text string) answer {
	w.Helper()
	w.write(text)
	method, _, _ := strings.Cut(text, " ")
	return w.read(method)
}

func TestRaw_HeaderCase(t *testing.T) {
	w := newWire(t)
	for _, header := range []string{
		"authorization: Bearer {token}", "AUTHORIZATION: Bearer {token}", "aUtHoRiZaTiOn:Bearer {token}", "Authorization:   Bearer {token}  ",
	} {
		a := w.send("GET " + root + "/devices HTTP/1.1\nhost: {host}\n" + header + "\n\n")
		assert.Equal(t, 200, a.status, header)
	}
	for _, header := range []string{"memfault-project-key: {key}", "MEMFAULT-PROJECT-KEY:{key}", "Memfault-Project-Key:{key}"} {
		a := w.send("POST /api/v0/chunks/S1 HTTP/1.1\nHOST: {host}\n" + header + "\ncontent-TYPE: application/octet-stream\ncontent-length: 3\n\nabc")
		assert.Equal(t, 202, a.status, header)
		assert.Equal(t, "Accepted", a.text)
	}
	assert.Len(t, w.cloud.Chunks("S1"), 3)
}

func TestRaw_Escapes(t *testing.T) {
	w := newWire(t)
	w.cloud.AddDevices(fakecloud.Device{Serial: "a/b c+d"})
	for _, spelling := range []string{"a%2Fb%20c+d", "a%2fb%20c%2bd", "%61%2fb%20c%2Bd"} {
		a := w.send("GET " + root + "/devices/" + spelling + " HTTP/1.1\nHost: {host}\nAuthorization: Bearer {token}\n\n")
		require.Equal(t, 200, a.status, spelling)
		assert.Equal(t, "a/b c+d", a.at("data.device_serial"))
	}
	for _, path := range []string{"/devices/a/b%20c+d", "/devices/", "//devices", "/./devices", "/devices/../devices"} {
		a := w.send("GET " + root + path + " HTTP/1.1\nHost: {host}\nAuthorization: Bearer {token}\n\n")
		assert.Equal(t, 404, a.status, path)
	}
}

func TestRaw_Queries(t *testing.T) {
	w := newWire(t)
	w.cloud.AddRelease(fakecloud.Release{Version: "1.0.0+b", Artifacts: []fakecloud.Artifact{{}}})
	w.cloud.AddDeployments(fakecloud.Deployment{Release: "1.0.0+b"})
	for query, status := range map[string]int{
		"?&device_serial=S1&hardware_version=evt-1&software_type=main&current_version=": 200, // as the firmware SDK sends it
		"?device_serial=S1&&hardware_version=evt%2d1&software_type=main&":               200,
		"?device_serial=S1&hardware_version=evt-1&current_version=1.0.0%2bb":            204,
		"?device_serial=&hardware_version=evt-1":                                        400,
		"?":                                                                             400,
	} {
		a := w.send("GET /api/v0/releases/latest/url" + query + " HTTP/1.1\nHost: {host}\nMemfault-Project-Key: {key}\n\n")
		assert.Equal(t, status, a.status, query)
	}
	for query, status := range map[string]int{
		"?last_seen_since=2025-02-27T00:00:00Z": 200, "?last_seen_since=2025-02-27T00%3A00%3A00Z": 200,
		"?last_seen_since=2025-02-27": 400, "?last_seen_since=2025-02-27T00:00:00%2B00:00": 400, "?page=0": 400, "?limit=5&offset=3": 200,
	} {
		a := w.send("GET " + root + "/devices" + query + " HTTP/1.1\nHost: {host}\nAuthorization: Bearer {token}\n\n")
		assert.Equal(t, status, a.status, query)
	}
}

func TestRaw_HTTP10AndAbsoluteForm(t *testing.T) {
	w := newWire(t)
	a := w.send("POST /api/v0/upload HTTP/1.0\nMemfault-Project-Key: {key}\nContent-Length: 0\n\n")
	require.Equal(t, 200, a.status)
	assert.Contains(t, a.at("data.upload_url"), "http://"+w.host+"/presigned/", "without a Host header")
	_, err := w.reader.ReadByte()
	require.ErrorIs(t, err, io.EOF, "HTTP/1.0 closes the connection")
	w.dial()
	a = w.send("GET http://{host}" + root + "/devices?per_page=1 HTTP/1.1\nHost: elsewhere\nAuthorization: Bearer {token}\n\n")
	assert.Equal(t, 200, a.status)
	assert.Equal(t, root+"/devices", w.cloud.Requests("devices.list")[0].Path)
}

func TestRaw_BodyFraming(t *testing.T) {
	const chunked = "Transfer-Encoding: chunked\n\n3\nabc\n0\n\n"
	w := newWire(t)
	for name, text := range map[string]string{
		"no chunk":    "POST /api/v0/chunks/S1 HTTP/1.1\nHost: {host}\nMemfault-Project-Key: {key}\nContent-Type: application/octet-stream\nTransfer-Encoding: chunked\n\n0\n\n",
		"no length":   "POST /api/v0/chunks/S1 HTTP/1.1\nHost: {host}\nMemfault-Project-Key: {key}\nContent-Type: application/octet-stream\n\n",
		"zero length": "POST /api/v0/chunks/S1 HTTP/1.1\nHost: {host}\nMemfault-Project-Key: {key}\nContent-Length: 0\n\n",
		"raw coredump": "POST /api/v0/upload/coredump HTTP/1.1\nHost: {host}\nMemfault-Project-Key: {key}\n" +
			"Content-Type: application/octet-stream\n" + chunked,
	} {
		assert.Equal(t, 411, w.send(text).status, name)
	}
	bad := w.send("POST /api/v0/chunks/S1 HTTP/1.1\nHost: {host}\nMemfault-Project-Key: wrong\nContent-Length: 0\n\n")
	assert.Equal(t, 403, bad.status, "the key is checked first")
	assert.Empty(t, w.cloud.Chunks("S1"))
	relay := w.send("POST /api/v0/chunks/S1 HTTP/1.1\nHost: {host}\nMemfault-Project-Key: {key}\nContent-Type: application/octet-stream\n" + chunked)
	assert.Equal(t, 202, relay.status, "a public relay sends chunks like this")
	assert.Equal(t, [][]byte{[]byte("abc")}, w.cloud.Chunks("S1"))
	json := "{\"name\":\"beta\"}"
	a := w.send(fmt.Sprintf("POST %s/cohorts HTTP/1.1\nHost: {host}\nAuthorization: Bearer {token}\nContent-Type: application/json\nTransfer-Encoding: chunked\n\n%x\n%s\n0\n\n", root, len(json), json))
	assert.Equal(t, 200, a.status, "JSON may be chunked")
}

func TestRaw_ExpectContinue(t *testing.T) {
	w := newWire(t)
	const head = "POST /api/v0/chunks/S1 HTTP/1.1\nHost: {host}\nContent-Type: application/octet-stream\nContent-Length: 3\nExpect: 100-continue\n"
	w.write(head + "Memfault-Project-Key: {key}\n\n")
	line, err := w.reader.ReadString('\n')
	require.NoError(t, err)
	assert.Equal(t, "HTTP/1.1 100 Continue\r\n", line)
	_, err = w.reader.ReadString('\n')
	require.NoError(t, err)
	w.write("abc")
	assert.Equal(t, 202, w.read("POST").status)
	assert.Equal(t, [][]byte{[]byte("abc")}, w.cloud.Chunks("S1"))

	// The storage rejects the request before the body is sent.
	a := w.send("PUT /presigned/unknown/x HTTP/1.1\nHost: {host}\nContent-Length: 1000\nExpect: 100-continue\n\n")
	assert.Equal(t, 403, a.status)
	assert.Contains(t, a.text, "<Code>SignatureDoesNotMatch</Code>")
}

func TestRaw_Pipelined(t *testing.T) {
	w := newWire(t)
	w.cloud.AddDevices(fakecloud.Device{Serial: "S1"}, fakecloud.Device{Serial: "S2"})
	for _, serial := range []string{"S1", "S2", "S3"} {
		w.write("GET " + root + "/devices/" + serial + " HTTP/1.1\nHost: {host}\nAuthorization: Bearer {token}\n\n")
	}
	for _, serial := range []string{"S1", "S2"} {
		assert.Equal(t, serial, w.read("GET").at("data.device_serial"))
	}
	assert.Equal(t, 404, w.read("GET").status)
	assert.Empty(t, w.cloud.Violations())
}

// TestRaw_CommandLineTool sends what Memfault's command-line tool sends: no body to prepare,
// uppercase escapes to storage, and several chunks as a form.
func TestRaw_CommandLineTool(t *testing.T) {
	w := newWire(t)
	const agent = "Host: {host}\nUser-Agent: MemfaultCLI/1.7.1\nAccept-Encoding: gzip, deflate\nAccept: */*\nConnection: keep-alive\n"
	const auth = "Authorization: Basic Om9hdF84YzFmMGU1YTdiMmQ0OWM2YTNmNGUxZDJjM2I0YTU5Ng==\n"
	prepared := w.send("POST " + root + "/upload HTTP/1.1\n" + agent + auth + "Content-Length: 0\n\n")
	require.Equal(t, 200, prepared.status, prepared.text)
	target := strings.TrimPrefix(prepared.at("data.upload_url").(string), "http://"+w.host)
	target = strings.NewReplacer("%2f", "%2F", "%2b", "%2B").Replace(target)
	put := w.send("PUT " + target + " HTTP/1.1\n" + agent + "Content-Type: application/zip\nContent-Length: 4\n\nfile")
	require.Equal(t, 200, put.status, put.text)
	commit := `{"file": {"token": "` + prepared.at("data.token").(string) + `", "md5": "8c7dd922ad47494fc02c388e12c00eac", "name": "a.zip"}}`
	a := w.send(fmt.Sprintf("POST %s/bugreports HTTP/1.1\n%s%sContent-Type: application/json\nContent-Length: %d\n\n%s", root, agent, auth, len(commit), commit))
	assert.Equal(t, 200, a.status, a.text)
	assert.Len(t, w.cloud.Uploads(), 1)

	const part = "--b\nContent-Disposition: form-data; name=\"chunk0\"; filename=\"chunk0\"\nContent-Type: application/octet-stream\nContent-Length: 2\n\nab\n"
	body := strings.ReplaceAll(part+part+"--b--", "\n", "\r\n") // without the last CRLF
	a = w.send(fmt.Sprintf("POST /api/v0/chunks/TESTSERIAL HTTP/1.1\n%sMemfault-Project-Key: {key}\nContent-Type: multipart/mixed; boundary=b\nContent-Length: %d\n\n%s",
		agent, len(body), strings.ReplaceAll(body, "\r\n", "\n")))
	assert.Equal(t, 202, a.status, a.text)
	assert.Len(t, w.cloud.Chunks("TESTSERIAL"), 2)
}

// TestRaw_LinuxAgent sends what memfaultd sends: a Content-Encoding that is none, and a
// compressed file without a type.
func TestRaw_LinuxAgent(t *testing.T) {
	w := newWire(t)
	const head = "Host: {host}\naccept: application/json\ncontent-type: application/json\nmemfault-project-key: {key}\ncontent-encoding: utf-8\n"
	post := func(path, body string) answer {
		return w.send(fmt.Sprintf("POST %s HTTP/1.1\n%scontent-length: %d\n\n%s", path, head, len(body), body))
	}
	prepared := post("/api/v0/upload", `{"content_encoding":"gzip","size":3,"device":{`+flatTraits+`},"kind":"MAR"}`)
	require.Equal(t, 200, prepared.status, prepared.text)
	put := w.send("PUT " + strings.TrimPrefix(prepared.at("data.upload_url").(string), "http://"+w.host) +
		" HTTP/1.1\nHost: {host}\nContent-Encoding: gzip\nContent-Type:\nContent-Length: 3\n\nMAR")
	require.Equal(t, 200, put.status, put.text)
	a := post("/api/v0/upload/mar", `{`+flatTraits+`,"file":{"token":"`+prepared.at("data.token").(string)+`"}}`)
	assert.Equal(t, 202, a.status, a.text)
	assert.Equal(t, 200, post("/api/v0/device-config", `{"device":{`+flatTraits+`}}`).status)
}
