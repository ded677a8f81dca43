package memfault_test

import (
	"encoding/json"
	"fmt"
	"html"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/memfault-go/memfault"
)

// FuzzError_Redaction checks that no part of an error contains the password of the client, in
// whatever form and between whatever texts a server returns it, and wherever the response is
// cut off.
func FuzzError_Redaction(f *testing.F) {
	forms := slices.Sorted(maps.Keys(echoForms))
	for i := range forms {
		f.Add(`pä"ss&wörd<1>`, "", "", uint8(i), uint16(0))
		f.Add(`back\slash"`, "[error] ", " x", uint8(i), uint16(0))
		f.Add("a%2fb?x=1&y", `{"error":{"message":"`, `"}}`, uint8(i), uint16(9))
	}
	f.Add("plain", "[error] no ", " here", uint8(slices.Index(forms, "text")), uint16(0))
	f.Add("plain", `{"error":{"message":"\x `, `"}}`, uint8(slices.Index(forms, "JSON in ASCII")), uint16(0))
	f.Add("plain", "https://a?x=", "&b", uint8(slices.Index(forms, "query")), uint16(0))
	f.Fuzz(func(t *testing.T, tail, before, after string, form uint8, cut uint16) {
		const start = "Zq7~start" // not in any other text
		name := forms[int(form)%len(forms)]
		if strings.Contains(name, "cut") || !utf8.ValidString(tail) || strings.ContainsFunc(tail, func(r rune) bool { return r < ' ' || r == 0x7f }) ||
			strings.Contains(strings.ToLower(before+after), "q7") || len(tail) > 100 {
			return
		}
		secret := start + tail
		body := before + echoForms[name](secret) + after
		if cut > 0 {
			body = body[:len(body)-min(int(cut), len(after))] // in the text after it: in the password itself, the limit is 6 bytes
		}
		got, texts := errorWith(t, memfault.BasicPassword("jane@acme.example", secret), http.StatusBadRequest, body)
		texts += printAll(error(got))
		for _, shown := range unescaped(texts) {
			if strings.Contains(shown, start) {
				t.Fatalf("%.300q contains the password %q", shown[max(0, strings.Index(shown, start)-100):], secret)
			}
		}
		requireErrorLimits(t, got)
	})
}

// unescaped returns a text, and what a reader who decodes it would see.
func unescaped(text string) []string {
	all := []string{text, html.UnescapeString(text)}
	if path, err := url.PathUnescape(text); err == nil {
		all = append(all, path)
	}
	return all
}

// requireErrorLimits checks what is promised of the text and the body of every error.
func requireErrorLimits(t *testing.T, err *memfault.Error) {
	t.Helper()
	text := err.Error()
	require.LessOrEqual(t, len(text), 2<<10)
	require.True(t, utf8.ValidString(text), "%q", text)
	require.NotContains(t, text, "\n")
	require.LessOrEqual(t, len(err.Body), 64<<10)
	require.Equal(t, text, fmt.Sprintf("%+v", err))
	require.NotEmpty(t, err.LogValue().Group())
	_ = err.ItemErrors()
}

// FuzzError_Body checks that a call returns either a value or an error, and compares the error
// with a model of the envelope.
func FuzzError_Body(f *testing.F) {
	f.Add(`{"error":{"code":1003,"message":"x","type":"T"}}`, 404)
	f.Add(`<html>http://x?y</html>`, 200)
	f.Add(`{"message":"Forbidden"}`, 403)
	f.Add(`{"error":{"message":{"name":["Missing data"]}}}`, 400)
	f.Add(`{"error":"text"}`, 409)
	f.Add(`{"error":{"code":"1003","message":7,"type":null}}`, 422)
	f.Add("line\r\n\x1b[31mline\xff\u2028", 500)
	f.Add("<?xml version=\"1.0\"?><Error><Code>EntityTooLarge</Code><Message>m</Message></Error>", 400)
	f.Add(strings.Repeat("x", 5000), 503)
	f.Add(`{"data":{"id":1,"slug":"sink"}}`, 302)
	f.Fuzz(func(t *testing.T, body string, status int) {
		status = 200 + (status%400+400)%400
		client := newClient(t, memfault.OrganizationToken("oat_Zq7test"), memfault.WithHTTPClient(&http.Client{
			Transport: roundTripper(func(*http.Request) (*http.Response, error) { return newResponse(status, body) }),
		}))
		project, err := client.Projects.Get(t.Context(), sink, memfault.WithoutRetry())
		if (project == nil) == (err == nil) {
			t.Fatalf("%v, %v", project, err)
		}
		if err == nil {
			require.Equal(t, 2, status/100)
			return
		}
		got := requireError(t, err, status)
		requireErrorLimits(t, got)
		kinds := 0
		for _, kind := range everyKind {
			if got.Is(kind) {
				kinds++
			}
		}
		require.True(t, kinds == 1 || kinds == 2 && got.Is(memfault.ErrBadRequest) && got.Is(memfault.ErrTooLarge), "an error must be of one kind")
		if status/100 != 2 {
			requireEnvelope(t, body, got)
		}
	})
}

var everyKind = []error{
	memfault.ErrInvalidArgument, memfault.ErrNoAnswer, memfault.ErrUnexpectedResponse, memfault.ErrBadRequest, memfault.ErrUnauthorized, memfault.ErrForbidden,
	memfault.ErrNotFound, memfault.ErrConflict, memfault.ErrTooLarge, memfault.ErrRateLimited, memfault.ErrUnavailable, memfault.ErrWrongCredential, memfault.ErrNoBuildID, memfault.ErrNotReady,
}

// requireEnvelope compares an error with the body of its response, if that is the usual
// envelope, without anything to redact.
func requireEnvelope(t *testing.T, body string, got *memfault.Error) {
	t.Helper()
	var envelope struct {
		Error struct {
			Code    int    `json:"code"`
			Type    string `json:"type"`
			Message string `json:"message"`
		} `json:"error"`
	}
	if json.Unmarshal([]byte(body), &envelope) != nil || envelope.Error.Message == "" || repeatsField(body) || strings.Contains(body, "q7") ||
		strings.Contains(envelope.Error.Type+envelope.Error.Message, "?") {
		return
	}
	assert.Equal(t, envelope.Error.Code, got.Code)
	assert.Equal(t, envelope.Error.Type, got.Type)
	assert.Equal(t, envelope.Error.Message, got.Message)
	assert.Nil(t, got.Details)
}
