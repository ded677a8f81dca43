package main

import (
	"encoding/json"
	"errors"
	"strconv"

	"github.com/memfault-go/memfault"
	"github.com/memfault-go/memfault/examples/verify/internal/shape"
)

// judgeError compares an error response with the form of Memfault's errors. as is the kind of
// the findings.
func judgeError(r *result, got *exchange, as kind) {
	members, err := membersOf(got.body)
	if err != nil {
		r.Findings = append(r.Findings, finding{as, "", "an object with error", kindOf(got.body)})
		return
	}
	if !isKind(members["error"], '{') {
		r.Findings = append(r.Findings, finding{as, "error", "object", kindOfMember(members["error"])})
		return
	}
	inner, _ := membersOf(members["error"]) // an object
	for _, field := range []struct {
		name  string
		kinds []string
		need  bool
	}{
		{"message", []string{"string", "object"}, true},
		{"type", []string{"string"}, false},
		{"code", []string{"integer"}, false},
		{"http_code", []string{"integer"}, false},
	} {
		switch value := inner[field.name]; {
		case value == nil && !field.need:
			// Memfault is known to leave it out.
		case !contains(field.kinds, kindOfMember(value)):
			r.Findings = append(r.Findings, finding{as, "error." + field.name, field.kinds[0], kindOfMember(value)})
		}
		delete(inner, field.name)
	}
	for name, value := range inner {
		r.Findings = append(r.Findings, finding{Kind: unknownField, Path: "error." + shape.Name(name), Got: kindOf(value)})
	}
}

// judgeRead compares what the client read from an error with what is documented.
func judgeRead(r *result, err error, errorType string, code int) {
	var read *memfault.Error
	if !errors.As(err, &read) {
		r.Findings = append(r.Findings, finding{Kind: unreadable, Want: "an *Error", Got: failureKind(err)})
		return
	}
	if read.Message == "" && len(read.Details) == 0 {
		r.Findings = append(r.Findings, finding{Kind: wrongError, Path: "error.message", Want: "a message", Got: "none that the client reads"})
	}
	if read.Type != errorType {
		r.Findings = append(r.Findings, finding{Kind: otherwise, Path: "error.type", Want: errorType, Got: "another type"})
	}
	if read.Code != code {
		r.Findings = append(r.Findings, finding{Kind: otherwise, Path: "error.code", Want: strconv.Itoa(code), Got: strconv.Itoa(read.Code)})
	}
}

func kindOfMember(data json.RawMessage) string {
	if data == nil {
		return "nothing"
	}
	return kindOf(data)
}

func contains(kinds []string, one string) bool {
	for _, kind := range kinds {
		if kind == one {
			return true
		}
	}
	return false
}
