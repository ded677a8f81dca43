package fakecloud_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/memfault-go/memfault/internal/fakecloud"
)

const root = "/api/v0/organizations/" + fakecloud.Organization + "/projects/" + fakecloud.Project

// tester sends requests to a fake cloud without a connection.
type tester struct {
	*testing.T
	cloud   *fakecloud.Cloud
	handler http.Handler
}

func newTester(t *testing.T) *tester {
	t.Helper()
	cloud := fakecloud.New()
	return &tester{t, cloud, cloud.Handler()}
}

// answer is a response. Its body is decoded if it is JSON.
type answer struct {
	status int
	header http.Header
	text   string
	body   any
}

// at returns a field of the body by its path, such as "data.0.id".
func (a answer) at(path string) any { return at(a.body, path) }

func at(value any, path string) any {
	for step := range strings.SplitSeq(path, ".") {
		switch inner := value.(type) {
		case map[string]any:
			value = inner[step]
		case []any:
			n := int(step[0] - '0')
			if n >= len(inner) {
				return nil
			}
			value = inner[n]
		default:
			return nil
		}
	}
	return value
}

// do sends a request. The headers are names and values in turn.
func (x *tester) do(method, path, body string, header ...string) answer {
	x.Helper()
	req := httptest.NewRequestWithContext(x.Context(), method, path, strings.NewReader(body))
	for i := 0; i < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	recorder := httptest.NewRecorder()
	x.handler.ServeHTTP(recorder, req)
	result := recorder.Result()
	defer result.Body.Close()
	text, err := io.ReadAll(result.Body)
	require.NoError(x, err)
	a := answer{status: result.StatusCode, header: result.Header, text: string(text)}
	_ = json.Unmarshal(text, &a.body) // not every body is JSON
	return a
}

// console sends a request of a user to a path of the project.
func (x *tester) console(method, path, body string) answer {
	x.Helper()
	return x.do(method, root+path, body, "Authorization", "Bearer "+fakecloud.OrgToken, "Content-Type", "application/json")
}

func (x *tester) get(path string) answer { x.Helper(); return x.console("GET", path, "") }

// keyed sends a request of a device.
func (x *tester) keyed(method, path, body string) answer {
	x.Helper()
	return x.do(method, path, body, keyHeader, fakecloud.ProjectKey, "Content-Type", "application/json")
}

func (x *tester) chunk(serial, body string, header ...string) answer {
	x.Helper()
	return x.do("POST", "/api/v0/chunks/"+serial, body,
		append([]string{keyHeader, fakecloud.ProjectKey, "Content-Type", "application/octet-stream"}, header...)...)
}

// upload uploads a file as a user and commits it with the given fields.
func (x *tester) upload(commit, content, fields string) answer {
	x.Helper()
	prepared := x.console("POST", "/upload", "")
	require.Equal(x, 200, prepared.status)
	put := x.do("PUT", prepared.at("data.upload_url").(string), content, "Content-Length", "1")
	require.Equal(x, 200, put.status, put.text)
	if fields != "" {
		fields = "," + fields
	}
	return x.console("POST", commit, `{"file":{"token":"`+prepared.at("data.token").(string)+`","name":"file.bin"}`+fields+`}`)
}

func (x *tester) ok(a answer) answer {
	x.Helper()
	require.Equal(x, 2, a.status/100, a.text)
	return a
}

// text returns an ID as it is written in a path.
func text(id any) string { return strconv.FormatInt(int64(id.(float64)), 10) }
