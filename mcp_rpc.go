package memfault

import (
	"encoding/json"
	"reflect"
	"strconv"
)

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
	e, redact := newResponseError(r.call, r.response, r.body.Bytes()), r.call.redactor()
	e.Code, e.Message = failed.Code, redact.text(failed.Message)
	if len(failed.Data) > 0 {
		e.Details = redact.json(failed.Data)
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
