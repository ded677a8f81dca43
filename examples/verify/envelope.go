package main

import (
	"encoding/json"
	"maps"
	"slices"

	"github.com/memfault-go/memfault"
	"github.com/memfault-go/memfault/examples/verify/internal/shape"
	"github.com/memfault-go/memfault/internal/operation"
)

// values returns the values to compare with the model, and their path. It adds what is wrong
// about the envelope, and returns nil if there is none.
func (p probe) values(r *result, body []byte) ([]json.RawMessage, string) {
	members, err := membersOf(body)
	if err != nil {
		r.Findings = append(r.Findings, finding{Kind: wrongEnvelope, Want: "object", Got: kindOf(body)})
		return nil, ""
	}
	data, wrapped := members["data"]
	if p.op.Reply == operation.Bare {
		if wrapped && len(members) == 1 {
			r.Findings = append(r.Findings, finding{Kind: wrongEnvelope, Path: "data", Want: "an object without an envelope", Got: "an object in data"})
			return nil, ""
		}
		return []json.RawMessage{body}, "response"
	}
	if !wrapped {
		r.Findings = append(r.Findings, finding{Kind: wrongEnvelope, Path: "data", Want: "data", Got: "a response without data"})
		return nil, ""
	}
	if p.op.Reply == operation.Data {
		p.others(r, members, "data")
		if !isKind(data, '{') {
			r.Findings = append(r.Findings, finding{Kind: wrongEnvelope, Path: "data", Want: "object", Got: kindOf(data)})
			return nil, ""
		}
		return []json.RawMessage{data}, "data"
	}
	items := []json.RawMessage{}
	if !isKind(data, '[') || json.Unmarshal(data, &items) != nil {
		r.Findings = append(r.Findings, finding{Kind: wrongEnvelope, Path: "data", Want: "list", Got: kindOf(data)})
		return nil, ""
	}
	if slices.Contains(byCursor, p.op.Name) {
		p.others(r, members, "data", "links")
		p.links(r, members["links"])
		return items, "data[]"
	}
	p.others(r, members, "data", "paging")
	p.paging(r, members["paging"], len(items))
	return items, "data[]"
}

// others adds the fields of the envelope that the client does not know.
func (p probe) others(r *result, members map[string]json.RawMessage, known ...string) {
	for _, name := range slices.Sorted(maps.Keys(members)) {
		if !slices.Contains(known, name) {
			r.Findings = append(r.Findings, finding{Kind: unknownField, Path: shape.Name(name), Got: kindOf(members[name])})
		}
	}
}

// links compares the links of a list by cursor with the client's.
func (p probe) links(r *result, links json.RawMessage) {
	if !isKind(links, '{') {
		r.Findings = append(r.Findings, finding{Kind: wrongPaging, Path: "links", Want: "object", Got: kindOfMember(links)})
		return
	}
	members, _ := membersOf(links) // an object
	if kind := kindOfMember(members["next"]); kind != "string" && kind != "null" {
		r.Findings = append(r.Findings, finding{Kind: wrongPaging, Path: "links.next", Want: "string or null", Got: kind})
	}
}

// paging compares the paging of a list with the client's.
func (p probe) paging(r *result, paging json.RawMessage, items int) {
	if paging == nil && slices.Contains(withoutPaging, p.op.Name) {
		return
	}
	if paging == nil {
		r.Findings = append(r.Findings, finding{Kind: wrongPaging, Path: "paging", Want: "paging", Got: "a list without paging"})
		return
	}
	if !isKind(paging, '{') {
		r.Findings = append(r.Findings, finding{Kind: wrongPaging, Path: "paging", Want: "object", Got: kindOf(paging)})
		return
	}
	compared, err := shape.Compare[memfault.Paging]([]json.RawMessage{paging}, "paging", nil)
	if err != nil {
		return // the body was decoded before
	}
	for _, d := range compared.Wrong {
		r.Findings = append(r.Findings, finding{wrongPaging, d.Path, d.Want, d.Got})
	}
	for _, path := range compared.Missing {
		r.Findings = append(r.Findings, finding{Kind: wrongPaging, Path: path, Got: "nothing"})
	}
	for _, d := range compared.Unknown {
		r.Findings = append(r.Findings, finding{unknownField, d.Path, d.Want, d.Got})
	}
	var read memfault.Paging
	if len(compared.Wrong) > 0 || json.Unmarshal(paging, &read) != nil {
		return
	}
	differs := func(as kind, path, want, got string) {
		if !slices.Contains(compared.Missing, path) {
			r.Findings = append(r.Findings, finding{as, path, want, got})
		}
	}
	if read.Page != 1 {
		differs(wrongPaging, "paging.page", "the number of the requested page", "another number")
	}
	if read.ItemCount != items {
		differs(wrongPaging, "paging.item_count", "the number of items on the page", "another number")
	}
	if read.TotalCount < items {
		differs(wrongPaging, "paging.total_count", "the number of items in the list", "less than the page has")
	}
	if read.PerPage != pageSize || items > pageSize {
		differs(otherwise, "paging.per_page", "the requested number", "another number")
	}
}

func kindOf(data json.RawMessage) string {
	value, err := shape.Decode(data)
	if err != nil {
		return "no JSON"
	}
	return shape.Kind(value)
}
