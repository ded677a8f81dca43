package memfault

import (
	"bytes"
	"context"
	"encoding/json"
	"reflect"
	"strconv"
	"strings"

	"github.com/memfault-go/memfault/internal/operation"
)

// MCPService calls the tools that Memfault offers to language models, by the Model Context
// Protocol: JSON-RPC 2.0 over HTTP.
//
// These tools were observed: issue.list (argument sort), issue.get, issue.get_traces (argument
// limit), trace.get (arguments include_logs and include_all_threads), device.get and
// device.get_attributes. Memfault's hosted server, which requires OAuth and which the package does
// not call, also has projects.list, device.search (a condition over software_version, cohort,
// hardware_version, last_seen, first_seen, attributes and time series), device.getAttributes,
// device.listReboots and metrics.list. It pages by the argument cursor and the result nextCursor.
// [MCPService.ListTools] returns the names that a server has.
//
// UNCERTAIN(mcp-tools): whether the tools of the hosted server are offered here too, the other
// arguments and the form of the results, whether Memfault requires the request initialize before
// the others (the package does not send it), and which credentials it accepts beside an
// organization token.
//
// A JSON-RPC error is an [*Error] with its code and message; Details contains its data. Its
// status is that of the HTTP response, usually 200. It is of the kind [ErrBadRequest] if the
// code means that the request, the method or the parameters are invalid, and otherwise of the
// kind [ErrUnexpectedResponse].
type MCPService struct{ client *Client }

// MCPTool describes a tool.
type MCPTool struct {
	Name         string          `json:"name"`
	Title        string          `json:"title"`
	Description  string          `json:"description"`
	InputSchema  json.RawMessage `json:"inputSchema"`  // a JSON Schema of the arguments
	OutputSchema json.RawMessage `json:"outputSchema"` // a JSON Schema of the result, or nil
	Annotations  json.RawMessage `json:"annotations"`  // hints, or nil
}

// Ping checks that the server responds to the credential. It has no effect.
//
// Credentials: [OrganizationToken], [BasicAPIKey] or [BasicPassword].
//
// Not documented by Memfault; every server of the Model Context Protocol must respond to ping.
func (s *MCPService) Ping(ctx context.Context, project ProjectRef, opts ...CallOption) error {
	var result map[string]json.RawMessage
	r, err := s.call(ctx, project, "ping", map[string]any{}, &result, opts)
	if err != nil {
		return err
	}
	r.release()
	return nil
}

// ListTools returns the tools that can be called.
//
// Credentials: [OrganizationToken], [BasicAPIKey] or [BasicPassword].
//
// Not documented by Memfault; observed only in a program of Memfault's own from 2026.
func (s *MCPService) ListTools(ctx context.Context, project ProjectRef, opts ...CallOption) ([]MCPTool, error) {
	tools, cursors := []MCPTool{}, map[string]bool{}
	for params := map[string]any{}; ; {
		var result struct {
			Tools      []MCPTool `json:"tools"`
			NextCursor string    `json:"nextCursor"`
		}
		r, err := s.call(ctx, project, "tools/list", params, &result, opts)
		if err != nil {
			return nil, err
		}
		if tools = append(tools, result.Tools...); result.NextCursor == "" {
			r.release()
			return tools, nil
		}
		if cursors[result.NextCursor] || len(cursors) == maxToolPages {
			err := r.decodeError("the list of tools repeats a cursor or has too many pages", nil)
			r.release()
			return nil, err
		}
		r.release()
		cursors[result.NextCursor], params["cursor"] = true, result.NextCursor
	}
}

// maxToolPages limits the pages of a list of tools, which would otherwise have no end.
const maxToolPages = 1000

// CallTool calls a tool with arguments that are encoded as a JSON object, and decodes its
// result into out, which must be a pointer. If arguments is nil, the object is empty. If
// out is nil, the result is discarded.
//
// If the result has structured content, CallTool decodes that into out, and otherwise the text
// content, which must be JSON. If out is a *string, it receives the text content
// unchanged. If out is a [*json.RawMessage] and the text content is not JSON, it receives
// the list of contents.
//
// If the tool reports an error, CallTool fails with an [*Error] that contains the text content.
//
// A call is not retried once it may have reached Memfault, because a tool can have effects.
//
// Credentials: [OrganizationToken], [BasicAPIKey] or [BasicPassword].
//
// Not documented by Memfault; observed only in a program of Memfault's own from 2026.
func (s *MCPService) CallTool(ctx context.Context, project ProjectRef, name string, arguments, out any, opts ...CallOption) error {
	object, err := toolArguments(name, arguments, out)
	if err != nil {
		return err
	}
	var result toolResult
	params := map[string]any{"name": name, "arguments": object}
	r, err := s.call(ctx, project, "tools/call", params, &result, opts)
	if err != nil {
		return err
	}
	defer r.release()
	return result.decode(r, out)
}

// toolArguments returns the arguments as a JSON object.
func toolArguments(name string, arguments, out any) (json.RawMessage, error) {
	if name == "" {
		return nil, invalid("CallTool: the name must not be empty")
	}
	if out != nil && !isPointer(out) {
		return nil, invalid("CallTool: out must be a pointer that is not nil, not %T", out)
	}
	if arguments == nil {
		return json.RawMessage("{}"), nil
	}
	object, err := json.Marshal(arguments)
	if err != nil {
		return nil, invalid("CallTool: arguments: %w", err)
	}
	if string(object) == "null" {
		return json.RawMessage("{}"), nil
	}
	if !bytes.HasPrefix(object, []byte("{")) {
		return nil, invalid("CallTool: arguments must be encoded as a JSON object, not %T", arguments)
	}
	return object, nil
}

// toolResult is the result of tools/call.
type toolResult struct {
	Content           json.RawMessage `json:"content"`
	StructuredContent json.RawMessage `json:"structuredContent"`
	IsError           bool            `json:"isError"`
}

// text returns the text content, and whether there is one.
func (t *toolResult) text() (string, bool) {
	var contents []struct {
		Type string `json:"type"`
		Text string `json:"text"`
	}
	_ = json.Unmarshal(t.Content, &contents) // content of another form has no text
	var texts []string
	for _, c := range contents {
		if c.Type == "text" {
			texts = append(texts, c.Text)
		}
	}
	return strings.Join(texts, "\n"), len(texts) > 0
}

func (t *toolResult) decode(r *reply, out any) error {
	text, hasText := t.text()
	structured := len(t.StructuredContent) > 0 && string(t.StructuredContent) != "null"
	plain, isString := out.(*string)
	raw, isRaw := out.(*json.RawMessage)
	switch {
	case t.IsError:
		e := r.decodeError("the tool failed", nil)
		if text != "" {
			e.Message = r.call.redactor().Text(text)
		}
		return e
	case out == nil:
		return nil
	case isString && hasText:
		*plain = text
		return nil
	case structured:
		return r.decodeInto(t.StructuredContent, out)
	case isRaw && !json.Valid([]byte(text)):
		*raw = bytes.Clone(t.Content)
		return nil
	case !hasText:
		return r.decodeError("the result of the tool contains neither structured content nor text", nil)
	}
	return r.decodeInto([]byte(text), out)
}

// call sends a JSON-RPC request and decodes its result. The caller must release the reply.
func (s *MCPService) call(ctx context.Context, project ProjectRef, method string, params, result any, opts []CallOption) (*reply, error) {
	client := clientOf(s)
	if err := client.checkInitialized(); err != nil {
		return nil, err
	}
	id := client.core.rpcID.Add(1)
	body := map[string]any{"jsonrpc": "2.0", "id": id, "method": method, "params": params}
	r, err := client.call(ctx, operation.MCPCall, requestParams{path: project.path(), body: body}, newCallOptions(opts))
	if err != nil {
		return nil, err
	}
	if err := r.decodeRPC(id, result); err != nil {
		r.release()
		return nil, err
	}
	return r, nil
}

// Codes of JSON-RPC errors for a request that is wrong.
const (
	rpcParseError     = -32700
	rpcInvalidRequest = -32600
	rpcMethodNotFound = -32601
	rpcInvalidParams  = -32602
)

// rpcError is the error of a JSON-RPC response.
type rpcError struct {
	Code    int             `json:"code"`
	Message string          `json:"message"`
	Data    json.RawMessage `json:"data"`
}

// decodeRPC decodes the result of the JSON-RPC request with the given ID, or returns its error.
func (r *reply) decodeRPC(id int64, result any) error {
	var response struct {
		ID     json.RawMessage `json:"id"`
		Result json.RawMessage `json:"result"`
		Error  *rpcError       `json:"error"`
	}
	if err := r.decodeInto(r.body.Bytes(), &response); err != nil {
		return err
	}
	unidentified := len(response.ID) == 0 || string(response.ID) == "null"
	switch {
	case string(response.ID) != strconv.FormatInt(id, 10) && (!unidentified || response.Error == nil):
		// If the server could not read the ID of the request, its error has no ID.
		return r.decodeError("the JSON-RPC response has the ID of another request", nil)
	case response.Error != nil:
		return r.rpcFailure(response.Error)
	case len(response.Result) == 0 || string(response.Result) == "null":
		return r.decodeError("the JSON-RPC response contains neither a result nor an error", nil)
	}
	return r.decodeInto(response.Result, result)
}

func (r *reply) rpcFailure(failed *rpcError) error {
	e, hide := newResponseError(r.call, r.response, r.body.Bytes()), r.call.redactor()
	e.Code, e.Message = failed.Code, hide.Text(failed.Message)
	if len(failed.Data) > 0 {
		e.Details = hide.JSON(failed.Data)
	}
	switch failed.Code {
	case rpcParseError, rpcInvalidRequest, rpcMethodNotFound, rpcInvalidParams:
		e.kind = ErrBadRequest
	}
	return e
}

func isPointer(value any) bool {
	v := reflect.ValueOf(value)
	return v.Kind() == reflect.Pointer && !v.IsNil()
}
