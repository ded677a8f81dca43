package memfault_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/memfault-go/memfault"
)

// entry is an object, or an item of a list. Items that are not null can also decode to its
// zero value.
type entry struct {
	ID   int64          `json:"id"`
	Name string         `json:"name"`
	More map[string]any `json:"more"`
}

// FuzzEnvelope compares how the body of a successful response is read, as an object and as a
// page, with a model that reads each part of it alone.
func FuzzEnvelope(f *testing.F) {
	for _, body := range []string{
		`{"data":{"id":1,"name":"a","more":{"x":null}}}`, `{"data":[{"id":1},{"id":2}],"paging":{"page":1,"page_count":1,"total_count":2}}`,
		`{"data":[{},null]}`, `{"data":null}`, `{"data":[null]}`, `{}`, ``, `null`, `[]`, `[{"id":1}]`, `{"data":[]}`, `{"data":[{"id":"1"}]}`,
		`{"data":[{"id":1}],"paging":null}`, `{"data":[{"id":1}],"paging":{"page":"1"}}`, `{"data":[{"id":1}],"links":{"next":null}}`,
		`{"data":[{"id":1}],"links":[]}`, `{"DATA":[{"id":1}]}`, `{"data":[{"id":1}]} x`, ` {"data" : [ {"id":1e0} ] } `, `{"data":"text"}`,
		`{"data":[{"id":9223372036854775808}]}`, `<html>`, `{"data":[{"name":"\ud800"}]`, `{"data":[[]]}`, `{"error":{"message":"x"}}`,
	} {
		f.Add(body)
	}
	f.Fuzz(func(t *testing.T, body string) {
		client := newClient(t, memfault.OrganizationToken("oat_test"), memfault.WithHTTPClient(&http.Client{
			Transport: roundTripper(func(req *http.Request) (*http.Response, error) {
				if req.URL.Query().Get("page") > "1" {
					return newResponse(http.StatusOK, `{"data":[],"paging":{"page":2}}`)
				}
				return newResponse(http.StatusOK, body)
			}),
		}))
		if repeatsField(body) || strings.Contains(body, `"next":"`) {
			return // JSON does not define what a repeated field means; FuzzCursorLinks tests links
		}
		request := memfault.Request{Path: "/entries"}
		var got entry
		err := client.Do(t.Context(), request, &got, memfault.WithoutRetry())
		want, ok := modelObject(body)
		requireDecoded(t, body, ok, err)
		if ok {
			assert.Equal(t, want, got)
		}
		page, err := memfault.NewPager[entry](client, request).Page(t.Context())
		items, ok := modelPage(body)
		requireDecoded(t, body, ok, err)
		if ok {
			assert.Equal(t, items, page.Items)
		}
	})
}

func requireDecoded(t *testing.T, body string, ok bool, err error) {
	t.Helper()
	if ok {
		require.NoError(t, err)
		return
	}
	var unexpected *memfault.Error
	require.ErrorAs(t, err, &unexpected)
	assert.Equal(t, http.StatusOK, unexpected.StatusCode)
	if strings.HasPrefix(strings.TrimSpace(body), "<") && errors.Is(err, memfault.ErrNoAnswer) {
		return // an HTML page is not a response of Memfault
	}
	require.ErrorIs(t, err, memfault.ErrUnexpectedResponse)
}

// modelObject reads an object from the data field, or from the whole body if there is none.
func modelObject(body string) (value entry, ok bool) {
	var envelope map[string]json.RawMessage
	data := json.RawMessage(body)
	if json.Unmarshal([]byte(body), &envelope) == nil {
		for name, field := range envelope {
			if strings.EqualFold(name, "data") {
				data = field
			}
		}
	}
	if string(bytes.TrimSpace(data)) == "null" {
		return value, false
	}
	return value, json.Unmarshal(data, &value) == nil
}

// modelPage reads the items of a page one by one. None of them may be null.
func modelPage(body string) ([]entry, bool) {
	var envelope struct {
		Data   *[]json.RawMessage `json:"data"`
		Paging *memfault.Paging   `json:"paging"`
		Links  json.RawMessage    `json:"links"`
	}
	if json.Unmarshal([]byte(body), &envelope) != nil || envelope.Data == nil {
		return nil, false
	}
	items := []entry{}
	for _, raw := range *envelope.Data {
		var item entry
		if string(raw) == "null" || json.Unmarshal(raw, &item) != nil {
			return nil, false
		}
		items = append(items, item)
	}
	if envelope.Paging != nil {
		return items, envelope.Paging.Page == 0 || envelope.Paging.Page == 1
	}
	var links map[string]json.RawMessage
	var next string
	if json.Unmarshal(envelope.Links, &links) != nil || links["next"] == nil {
		return items, true
	}
	return items, json.Unmarshal(links["next"], &next) == nil && next == ""
}

// repeatsField reports whether an object in a JSON text has two fields whose names differ at
// most in case.
func repeatsField(text string) bool {
	if !json.Valid([]byte(text)) {
		return false
	}
	decoder := json.NewDecoder(strings.NewReader(text))
	var walk func() bool
	walk = func() bool {
		token, _ := decoder.Token()
		delimiter, ok := token.(json.Delim)
		if !ok {
			return false
		}
		seen := map[string]bool{}
		for decoder.More() {
			if delimiter == '{' {
				name, _ := decoder.Token()
				key := strings.ToLower(fmt.Sprint(name))
				if seen[key] {
					return true
				}
				seen[key] = true
			}
			if walk() {
				return true
			}
		}
		_, _ = decoder.Token()
		return false
	}
	return walk()
}
