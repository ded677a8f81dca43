package memfault_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/memfault-go/memfault"
	"github.com/memfault-go/memfault/memfaulttest"
)

// newRPC returns a client whose requests have a JSON text as response, in which ID stands for
// the ID of the request. It counts the requests.
func newRPC(t testing.TB, response string) (client *memfault.Client, requests *[]map[string]any) {
	t.Helper()
	requests = &[]map[string]any{}
	_, client = newServer(t, func(w http.ResponseWriter, r *http.Request) {
		var request map[string]any
		body, _ := io.ReadAll(r.Body)
		assert.NoError(t, json.Unmarshal(body, &request))
		*requests = append(*requests, request)
		_, _ = io.WriteString(w, strings.ReplaceAll(response, "ID", fmt.Sprint(request["id"])))
	})
	return client, requests
}

func TestMCP_ToolsOfTheFake(t *testing.T) {
	cloud, client := newCloud(t)
	cloud.AddDevices(memfaulttest.Device{Serial: "A", Attributes: map[string]any{"region": "eu"}})
	issues := cloud.AddIssues(memfaulttest.Issue{Title: "old"}, memfaulttest.Issue{Title: "new"})
	traces := cloud.AddTraces(
		memfaulttest.Trace{Issue: issues[0], DeviceSerial: "A", Captured: noon}, memfaulttest.Trace{Issue: issues[1], DeviceSerial: "A", Captured: noon.Add(time.Hour)},
		memfaulttest.Trace{Issue: issues[1], DeviceSerial: "A", Captured: noon.Add(2 * time.Hour)},
	)
	tools, err := client.MCP.ListTools(t.Context(), sink)
	require.NoError(t, err)
	var names []string
	for _, tool := range tools {
		names = append(names, tool.Name)
		assert.True(t, json.Valid(tool.InputSchema))
	}
	assert.Equal(t, []string{"device.get", "device.get_attributes", "issue.get", "issue.get_traces", "issue.list", "trace.get"}, names)

	call := func(name string, arguments, out any) {
		t.Helper()
		require.NoError(t, client.MCP.CallTool(t.Context(), sink, name, arguments, out))
	}
	var listed []memfault.Issue
	call("issue.list", map[string]string{"sort": "-first_seen"}, &listed)
	require.Len(t, listed, 2)
	assert.Equal(t, "new", listed[0].Title)
	var issue memfault.Issue
	call("issue.get", map[string]int64{"issue_id": issues[0]}, &issue)
	assert.Equal(t, "old", issue.Title)
	var of []memfault.Trace
	call("issue.get_traces", map[string]int64{"issue_id": issues[1], "limit": 1}, &of)
	require.Len(t, of, 1)
	assert.Equal(t, traces[2], of[0].ID)
	var trace memfault.Trace
	call("trace.get", map[string]any{"trace_id": traces[0], "include_logs": true}, &trace)
	assert.Equal(t, issues[0], trace.IssueID)
	var device memfault.Device
	call("device.get", struct {
		Serial string `json:"device_serial"`
	}{"A"}, &device)
	assert.Equal(t, "A", device.DeviceSerial)
	var attributes json.RawMessage
	call("device.get_attributes", map[string]string{"device_serial": "A"}, &attributes)
	assert.Contains(t, string(attributes), `"region"`)
	var text string
	call("issue.list", nil, &text)
	assert.True(t, strings.HasPrefix(text, `[{"`), text)
	call("issue.list", nil, nil)

	var missing *memfault.Error
	require.ErrorAs(t, client.MCP.CallTool(t.Context(), sink, "device.get", map[string]string{"device_serial": "B"}, &device), &missing)
	assert.Equal(t, "Device not found", missing.Message)
	err = client.MCP.CallTool(t.Context(), sink, "no.such", nil, nil)
	require.ErrorIs(t, err, memfault.ErrBadRequest)
	assert.Equal(t, -32602, requireError(t, err, http.StatusOK).Code)
}

func TestCallTool_Results(t *testing.T) {
	type value struct{ N int }
	const result = `{"jsonrpc":"2.0","id":ID,"result":{%s}}`
	for name, c := range map[string]struct{ result, text, raw, problem string }{
		"structured":          {`"structuredContent":{"n":1},"content":[{"type":"text","text":"one"}]`, "one", `{"n":1}`, ""},
		"JSON text":           {`"content":[{"type":"text","text":"{\"n\":1}"}],"structuredContent":null`, `{"n":1}`, `{"n":1}`, ""},
		"text":                {`"content":[{"type":"text","text":"one"},{"type":"image"},{"type":"text","text":"two"}],"isError":false`, "one\ntwo", `[{"type":"text","text":"one"},{"type":"image"},{"type":"text","text":"two"}]`, "not the expected JSON"},
		"no text, structured": {`"structuredContent":{"n":1}`, "", `{"n":1}`, ""},
	} {
		t.Run(name, func(t *testing.T) {
			client, _ := newRPC(t, fmt.Sprintf(result, c.result))
			var v value
			err := client.MCP.CallTool(t.Context(), sink, "x", nil, &v)
			if c.problem == "" {
				require.NoError(t, err)
				assert.Equal(t, 1, v.N)
			} else {
				assert.Contains(t, requireError(t, err, http.StatusOK).Message, c.problem)
			}
			var raw json.RawMessage
			require.NoError(t, client.MCP.CallTool(t.Context(), sink, "x", nil, &raw))
			assert.JSONEq(t, c.raw, string(raw))
			if c.text != "" {
				var text string
				require.NoError(t, client.MCP.CallTool(t.Context(), sink, "x", nil, &text))
				assert.Equal(t, c.text, text)
			}
		})
	}
	client, _ := newRPC(t, fmt.Sprintf(result, `"content":[]`))
	require.ErrorContains(t, client.MCP.CallTool(t.Context(), sink, "x", nil, new(value)), "neither structured content nor text")
	client, _ = newRPC(t, fmt.Sprintf(result, `"isError":true,"content":[{"type":"text","text":"no such issue"}]`))
	for _, out := range []any{nil, new(value), new(string)} {
		err := client.MCP.CallTool(t.Context(), sink, "x", nil, out)
		require.ErrorIs(t, err, memfault.ErrUnexpectedResponse)
		assert.Equal(t, "no such issue", requireError(t, err, http.StatusOK).Message)
	}
}

func TestMCP_InvalidResponses(t *testing.T) {
	for response, want := range map[string]string{
		`{"jsonrpc":"2.0","id":"ID","result":{}}`:                          "another request",
		`{"jsonrpc":"2.0","id":99,"result":{}}`:                            "another request",
		`{"jsonrpc":"2.0","id":99,"error":{"code":1,"message":"x"}}`:       "another request",
		`{"jsonrpc":"2.0","result":{}}`:                                    "another request",
		`{"jsonrpc":"2.0","id":null,"result":{}}`:                          "another request",
		`{"jsonrpc":"2.0","id":ID}`:                                        "neither a result nor an error",
		`{"jsonrpc":"2.0","id":ID,"result":null}`:                          "neither a result nor an error",
		`{"jsonrpc":"2.0","id":ID,"result":[]}`:                            "not the expected JSON",
		`[]`:                                                               "not the expected JSON",
		`{"jsonrpc":"2.0","id":ID,"result":{"tools":[],"nextCursor":"a"}}`: "repeats a cursor",
	} {
		client, requests := newRPC(t, response)
		_, err := client.MCP.ListTools(t.Context(), sink)
		assert.Contains(t, requireError(t, err, http.StatusOK).Message, want, response)
		assert.LessOrEqual(t, len(*requests), 2)
	}
	for id, details := range map[string]string{"ID": `{"field":"n"}`, "null": `{"field":"n"}`} {
		client, requests := newRPC(t, `{"jsonrpc":"2.0","id":`+id+`,"error":{"code":-32000,"message":"no","data":{"field":"n"}}}`)
		err := client.MCP.CallTool(t.Context(), sink, "x", nil, nil)
		got := requireError(t, err, http.StatusOK)
		assert.Equal(t, "no", got.Message)
		assert.Equal(t, -32000, got.Code)
		assert.Equal(t, "mcp.call", got.Operation)
		assert.JSONEq(t, details, string(got.Details))
		require.ErrorIs(t, err, memfault.ErrUnexpectedResponse)
		assert.Len(t, *requests, 1)
	}
}

func TestMCP_Requests(t *testing.T) {
	client, requests := newRPC(t, `{"jsonrpc":"2.0","id":ID,"result":{}}`)
	require.NoError(t, client.MCP.CallTool(t.Context(), sink, "a", map[string]int{"n": 1}, nil))
	require.NoError(t, client.MCP.CallTool(t.Context(), sink, "b", map[string]int(nil), nil))
	require.Len(t, *requests, 2)
	assert.Equal(t, map[string]any{
		"jsonrpc": "2.0", "id": 1.0, "method": "tools/call", "params": map[string]any{"name": "a", "arguments": map[string]any{"n": 1.0}},
	}, (*requests)[0])
	assert.InDelta(t, 2, (*requests)[1]["id"], 0)
	assert.Equal(t, map[string]any{"name": "b", "arguments": map[string]any{}}, (*requests)[1]["params"])

	cloud, client := newCloud(t)
	cloud.Fail(memfaulttest.Fault{Operation: "mcp.call", Status: http.StatusServiceUnavailable})
	require.ErrorIs(t, client.MCP.CallTool(t.Context(), sink, "issue.list", nil, nil), memfault.ErrUnavailable)
	assert.Len(t, cloud.Requests("mcp.call"), 1, "a tool can have effects: no retry")
}

func TestMCP_InvalidInput(t *testing.T) {
	cloud, client := newCloud(t)
	call := func(name string, arguments, out any) error {
		return client.MCP.CallTool(t.Context(), sink, name, arguments, out)
	}
	requireUnsent(t, cloud, call("", nil, nil), "name must not be empty")
	requireUnsent(t, cloud, call("x", []int{1}, nil), "must be encoded as a JSON object")
	requireUnsent(t, cloud, call("x", []byte("{}"), nil), "must be encoded as a JSON object")
	requireUnsent(t, cloud, call("x", func() {}, nil), "arguments")
	requireUnsent(t, cloud, call("x", nil, item{}), "must be a pointer")
	requireUnsent(t, cloud, call("x", nil, (*item)(nil)), "must be a pointer")
	_, err := client.MCP.ListTools(t.Context(), memfault.ProjectRef{Organization: "acme"})
	requireUnsent(t, cloud, err, "project_slug must not be empty")
	_, err = new(memfault.Client).MCP.ListTools(t.Context(), sink)
	require.ErrorIs(t, err, memfault.ErrInvalidArgument)
	require.ErrorIs(t, client.WithAuth(memfault.ProjectKey(projectKey)).MCP.CallTool(t.Context(), sink, "x", nil, nil), memfault.ErrWrongCredential)
}

func ExampleMCPService_CallTool() {
	cloud, err := memfaulttest.Start()
	if err != nil {
		log.Fatal(err)
	}
	defer cloud.Close()
	cloud.AddIssues(memfaulttest.Issue{Title: "Watchdog at pump_start"})
	client := cloud.Client(nil)

	var issues []struct { // the form of the fake cloud; that of Memfault is unknown
		Title string `json:"title"`
	}
	err = client.MCP.CallTool(context.Background(), cloud.Project(), "issue.list", map[string]string{"sort": "-first_seen"}, &issues)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(issues[0].Title)
	// Output:
	// Watchdog at pump_start
}

func TestMCP_Ping(t *testing.T) {
	cloud, client := newCloud(t)
	require.NoError(t, client.MCP.Ping(t.Context(), sink))
	cloud.Fail(memfaulttest.Fault{Operation: "mcp.call", Status: 403})
	require.ErrorIs(t, client.MCP.Ping(t.Context(), sink), memfault.ErrForbidden)
}
