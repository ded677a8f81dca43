package fakecloud

import (
	"encoding/json"
	"slices"
	"strconv"
	"strings"

	"github.com/memfault-go/memfault/internal/operation"
)

// mcpTools lists the tools and their arguments.
//
// UNCERTAIN(mcp-tools): the arguments other than sort, limit, include_logs and
// include_all_threads, and the form of each result. Here a result has the form of the same
// resource in the REST API, as JSON in the text content. Lists are JSON arrays.
var mcpTools = map[string][]string{
	"issue.list":            {"sort"},
	"issue.get":             {"issue_id"},
	"issue.get_traces":      {"issue_id", "limit"},
	"trace.get":             {"trace_id", "include_logs", "include_all_threads"},
	"device.get":            {"device_serial"},
	"device.get_attributes": {"device_serial"},
}

func (c *Cloud) mcpHandlers() map[*operation.Operation]handler {
	return map[*operation.Operation]handler{operation.MCPCall: callMCP}
}

// callMCP responds with 200 to JSON-RPC errors too. UNCERTAIN(mcp-error-status): whether Memfault
// does.
func callMCP(r *request) reply {
	var call struct {
		Version string          `json:"jsonrpc"`
		ID      json.RawMessage `json:"id"`
		Method  string          `json:"method"`
		Params  struct {
			Name      string         `json:"name"`
			Arguments map[string]any `json:"arguments"`
		} `json:"params"`
	}
	if json.Unmarshal(r.body, &call) != nil {
		return rpcError(nil, -32700, "Parse error")
	}
	if call.Version != "2.0" || len(call.ID) == 0 {
		return rpcError(call.ID, -32600, "Invalid Request")
	}
	switch call.Method {
	case "initialize":
		return rpcResult(call.ID, object{
			"protocolVersion": "2025-06-18", "capabilities": object{"tools": object{}}, "serverInfo": object{"name": "fakecloud", "version": "0"},
		})
	case "ping":
		return rpcResult(call.ID, object{})
	case "tools/list":
		return rpcResult(call.ID, object{"tools": toolViews()})
	case "tools/call":
		if _, ok := mcpTools[call.Params.Name]; !ok {
			return rpcError(call.ID, -32602, "Unknown tool: "+call.Params.Name)
		}
		result, ok := r.callTool(call.Params.Name, call.Params.Arguments)
		text, _ := JSON(result) // a value that other responses contain
		if message, isText := result.(string); isText {
			text = []byte(message)
		}
		return rpcResult(call.ID, object{"content": []object{{"type": "text", "text": string(text)}}, "isError": !ok})
	}
	return rpcError(call.ID, -32601, "Method not found")
}

func rpcResult(id json.RawMessage, result any) reply {
	return bare(object{"jsonrpc": "2.0", "id": id, "result": result})
}

func rpcError(id json.RawMessage, code int, message string) reply {
	return bare(object{"jsonrpc": "2.0", "id": id, "error": object{"code": code, "message": message}})
}

func toolViews() []object {
	var tools []object
	for name, arguments := range mcpTools {
		properties := object{}
		for _, argument := range arguments {
			properties[argument] = object{}
		}
		tools = append(tools, object{"name": name, "description": "", "inputSchema": object{"type": "object", "properties": properties}})
	}
	slices.SortFunc(tools, func(a, b object) int { return strings.Compare(a["name"].(string), b["name"].(string)) })
	return tools
}

// callTool returns the result of a tool, or false and the text of an error.
func (r *request) callTool(name string, arguments map[string]any) (result any, ok bool) {
	p := r.project
	id, _ := arguments["issue_id"].(float64)
	issueAt := slices.IndexFunc(p.diagnostics.issues, func(i *issue) bool { return float64(i.id) == id })
	serial, _ := arguments["device_serial"].(string)
	d := p.device(serial)
	switch {
	case name == "issue.list":
		sort, _ := arguments["sort"].(string)
		return r.sortedIssues(sort), true
	case strings.HasPrefix(name, "issue.") && issueAt < 0:
		return "Issue not found", false
	case name == "issue.get":
		return p.issueDetail(p.diagnostics.issues[issueAt]), true
	case name == "issue.get_traces":
		traces := p.totals(p.diagnostics.issues[issueAt]).traces
		if limit, ok := arguments["limit"].(float64); ok {
			traces = traces[:min(len(traces), max(int(limit), 0))]
		}
		return views(traces, (*trace).view), true
	case name == "trace.get":
		id, _ := arguments["trace_id"].(float64)
		for _, t := range p.diagnostics.traces {
			if strconv.FormatInt(t.id, 10) == strconv.FormatInt(int64(id), 10) {
				return t.detail(), true
			}
		}
		return "Trace not found", false
	case d == nil:
		return "Device not found", false
	case name == "device.get":
		return p.deviceView(d), true
	}
	return views(d.attributes, func(a attribute) object { return a.view() }), true
}

// sortedIssues sorts only by first_seen, the key that was observed.
func (r *request) sortedIssues(key string) []object {
	issues := slices.Clone(r.project.diagnostics.issues)
	r.query.Set("sort", key)
	sortBy(r, issues, "first_seen", func(a, b *issue) int {
		return r.project.totals(a).firstSeen.Compare(r.project.totals(b).firstSeen)
	})
	return views(issues, r.project.issueView)
}

func views[T any](items []T, view func(T) object) []object {
	all := []object{}
	for _, item := range items {
		all = append(all, view(item))
	}
	return all
}
