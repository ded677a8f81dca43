package fakecloud_test

import (
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/memfault-go/memfault/internal/fakecloud"
)

const keyHeader = "Memfault-Project-Key"

// send sends a request. If chunked is true, the request has no Content-Length.
func send(t *testing.T, method, url string, body io.Reader, chunked bool, header ...string) (int, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, url, body)
	require.NoError(t, err)
	if chunked {
		req.ContentLength = -1
	}
	for i := 0; i < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	resp, err := http.DefaultClient.Do(req)
	require.NoError(t, err)
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	return resp.StatusCode, string(text)
}

// prepare requests an upload URL from a host.
func prepare(t *testing.T, host, body string) (url, token string) {
	t.Helper()
	status, text := send(t, "POST", host+"/api/v0/upload", strings.NewReader(body), false, keyHeader, fakecloud.ProjectKey)
	require.Equal(t, http.StatusOK, status, text)
	var reply struct {
		Data struct {
			UploadURL string `json:"upload_url"`
			Token     string `json:"token"`
		} `json:"data"`
	}
	require.NoError(t, json.Unmarshal([]byte(text), &reply))
	return reply.Data.UploadURL, reply.Data.Token
}

func TestPrepareUpload_AcceptsBodiesOfKnownPrograms(t *testing.T) {
	cloud := fakecloud.New()
	server := cloud.ServeHosts()
	defer server.Close()
	for _, host := range []string{server.Hosts.Files, server.Hosts.API, server.Hosts.Device} {
		for _, body := range []string{"", "{}", `{"kind":"MAR","size":10,"content_encoding":null,"device":{"device_serial":"S1"}}`} {
			url, token := prepare(t, host, body)
			assert.True(t, strings.HasPrefix(url, host+"/presigned/"+token))
		}
	}
	status, _ := send(t, "POST", server.Hosts.Files+"/api/v0/upload", strings.NewReader(`{"kind":"mar"}`), false, keyHeader, fakecloud.ProjectKey)
	assert.Equal(t, http.StatusBadRequest, status)
}

func TestPresignedURL_RejectsInvalidRequests(t *testing.T) {
	cloud := fakecloud.New()
	server := cloud.Serve()
	defer server.Close()
	url, token := prepare(t, server.URL, "")
	commit := func(file string) int {
		status, _ := send(t, "POST", server.URL+"/api/v0/upload/bugreport", strings.NewReader(`{"file":`+file+`}`), false,
			keyHeader, fakecloud.ProjectKey, "Content-Type", "application/json")
		return status
	}
	known := `{"token":"` + token + `"}`
	assert.Equal(t, http.StatusBadRequest, commit(known), "the file is not uploaded yet")

	put := func(method, url string, chunked bool, header ...string) int {
		status, _ := send(t, method, url, strings.NewReader("content"), chunked, header...)
		return status
	}
	path, _, _ := strings.Cut(url, "?")
	assert.Equal(t, http.StatusForbidden, put("PUT", path, false), "without a signature")
	assert.Equal(t, http.StatusForbidden, put("PUT", url+"0", false), "with another signature")
	assert.Equal(t, http.StatusMethodNotAllowed, put("POST", url, false))
	assert.Equal(t, http.StatusLengthRequired, put("PUT", url, true))
	assert.Empty(t, cloud.Violations())
	assert.Equal(t, http.StatusBadRequest, put("PUT", url, false, "Authorization", "Bearer x"))
	assert.Equal(t, http.StatusBadRequest, put("PUT", url, false, keyHeader, "x"))
	assert.Len(t, cloud.Violations(), 2)
	assert.Equal(t, http.StatusOK, put("PUT", url, false))

	assert.Equal(t, http.StatusBadRequest, commit(`{"token":"unknown"}`))
	assert.Equal(t, http.StatusBadRequest, commit(`{"token":"`+token+`","md5":"d41d8cd98f00b204e9800998ecf8427e"}`))
	assert.Equal(t, http.StatusAccepted, commit(known), "MD5 and name are optional")
	assert.Equal(t, http.StatusForbidden, put("PUT", url, false), "the file is already committed")
	require.Len(t, cloud.Uploads(), 1)
	assert.Equal(t, "9a0364b9e99bb480dd25e1f0284c8555", cloud.Uploads()[0].MD5)
}

func TestPresignedURL_ComparedDecoded(t *testing.T) {
	server := fakecloud.New().Serve()
	defer server.Close()
	for name, change := range map[string]func(string) string{
		"as sent":             func(url string) string { return url },
		"upper-case escapes":  func(url string) string { return strings.ReplaceAll(url, "%2f", "%2F") },
		"more escapes":        func(url string) string { return strings.ReplaceAll(url, "~", "%7E") },
		"spaces as %20":       func(url string) string { return strings.ReplaceAll(url, "s3+x", "s3%20x") },
		"wrong path":          func(url string) string { return strings.ReplaceAll(url, "%2Bc", "+d") },
		"plus read as space":  func(url string) string { return strings.ReplaceAll(url, "s3+x", "s3%2Bx") },
		"parameter left out":  func(url string) string { return strings.ReplaceAll(url, "&x-id=Put~Object", "") },
		"parameter added":     func(url string) string { return url + "&y=1" },
		"parameter repeated":  func(url string) string { return url + "&x-id=Put~Object" },
		"signature truncated": func(url string) string { return strings.Replace(url, "X-Signature=", "X-Signature=0", 1) },
	} {
		url, _ := prepare(t, server.URL, "")
		want := http.StatusOK
		if strings.HasPrefix(name, "wrong") || strings.HasPrefix(name, "p") || strings.HasPrefix(name, "signature") {
			want = http.StatusForbidden
		}
		status, _ := send(t, "PUT", change(url), strings.NewReader("content"), false)
		assert.Equal(t, want, status, name)
	}
}

func TestCommit_TokenOfAnotherProject(t *testing.T) {
	cloud := fakecloud.New()
	server := cloud.Serve()
	defer server.Close()
	url, token := prepare(t, server.URL, "")
	status, _ := send(t, "PUT", url, strings.NewReader("content"), false)
	require.Equal(t, http.StatusOK, status)
	other := "Bearer " + cloud.AddOrganization("other")
	body := `{"file":{"token":"` + token + `"}}`
	status, text := send(t, "POST", server.URL+"/api/v0/organizations/other/projects/other/bugreports", strings.NewReader(body), false,
		"Authorization", other, "Content-Type", "application/json")
	assert.Equal(t, http.StatusBadRequest, status)
	assert.Contains(t, text, "Unknown token")
	assert.Empty(t, cloud.Uploads())
	status, _ = send(t, "POST", server.URL+"/api/v0/upload/bugreport", strings.NewReader(body), false, keyHeader, fakecloud.ProjectKey)
	assert.Equal(t, http.StatusAccepted, status, "the slot is unused")
}

func TestCommit_WhileFileArrives(t *testing.T) {
	w := newWire(t)
	url, token := prepare(t, "http://"+w.host, "")
	commit := func() (int, string) {
		return send(t, "POST", "http://"+w.host+"/api/v0/upload/bugreport", strings.NewReader(`{"file":{"token":"`+token+`"}}`), false, keyHeader, fakecloud.ProjectKey)
	}
	begin := func() {
		t.Helper()
		w.write("PUT " + strings.TrimPrefix(url, "http://"+w.host) + " HTTP/1.1\nHost: {host}\nContent-Length: 5\nExpect: 100-continue\n\n")
		require.Equal(t, http.StatusContinue, w.read("PUT").status, "the cloud now reads the file")
		w.write("fi")
	}
	begin()
	status, text := commit()
	assert.Equal(t, http.StatusBadRequest, status)
	assert.Contains(t, text, "not uploaded")
	w.write("rst")
	require.Equal(t, http.StatusOK, w.read("PUT").status)

	begin() // to replace the file
	status, _ = commit()
	assert.Equal(t, http.StatusAccepted, status)
	w.write("nal")
	assert.Equal(t, http.StatusForbidden, w.read("PUT").status, "the commit came first")
	require.Len(t, w.cloud.Uploads(), 1)
	assert.Equal(t, "first", string(w.cloud.Uploads()[0].Start))
}

func TestCommit_RejectsWrongFields(t *testing.T) {
	cloud := fakecloud.New()
	server := cloud.Serve()
	defer server.Close()
	const flat = `"device_serial":"S1","hardware_version":"evt-1","software_version":"1.0.0","software_type":"main"`
	for commit, fields := range map[string]string{
		"mar":                   `"device":{` + flat + `}`,
		"elf_coredump":          flat,
		"coredump":              `"device":{` + flat + `}`,
		"custom-data-recording": `"device":{` + flat + `},"start_time":"2025-02-27T00:00:00Z","duration":60,"mimetypes":["text/csv"],"reason":""`,
		"qc/x":                  flat + `,"trace_attributes":[]`,
	} {
		url, token := prepare(t, server.URL, "")
		status, _ := send(t, "PUT", url, strings.NewReader("content"), false)
		require.Equal(t, http.StatusOK, status)
		status, text := send(t, "POST", server.URL+"/api/v0/upload/"+commit, strings.NewReader(`{"file":{"token":"`+token+`"},`+fields+`}`), false,
			keyHeader, fakecloud.ProjectKey, "Content-Type", "application/json")
		assert.Equal(t, http.StatusBadRequest, status, commit+text)
	}
	assert.Empty(t, cloud.Uploads())
}

func TestCDN_RejectsCredentials(t *testing.T) {
	cloud := fakecloud.New()
	server := cloud.Serve()
	defer server.Close()
	get := func(header ...string) int {
		status, _ := send(t, "GET", server.URL+"/cdn/1/a.bin", nil, false, header...)
		return status
	}
	assert.Equal(t, http.StatusForbidden, get(), "unknown file")
	assert.Empty(t, cloud.Violations())
	assert.Equal(t, http.StatusBadRequest, get("Authorization", "Bearer x"))
	assert.Equal(t, http.StatusBadRequest, get(keyHeader, "x"))
	assert.Equal(t, []string{"a credential was sent to the CDN", "a credential was sent to the CDN"}, cloud.Violations())
}
