package main

import "slices"

// kind is what a finding is about.
type kind string

// The kinds that contradict the client.
const (
	wrongType     kind = "type"       // a field does not decode
	wrongEnvelope kind = "envelope"   // data is missing, or where it does not belong
	wrongPaging   kind = "paging"     // pages are counted in another way
	wrongStatus   kind = "status"     // a status that the client does not expect
	wrongError    kind = "error form" // an error that the client does not read
	wrongOrder    kind = "order"      // a list in another order
	neverCame     kind = "missing"    // a field of the model that no item had
	unreadable    kind = "unreadable" // the client fails to read a response, for no reason above
)

// The kinds that are only news.
const (
	unknownField kind = "unknown"   // a field that the model does not have
	otherwise    kind = "different" // Memfault differs from its documentation; the client copes
)

func (k kind) contradicts() bool { return k != unknownField && k != otherwise }

// finding is a difference between a response and what the client expects. It contains no
// value of the response.
type finding struct {
	Kind kind   `json:"kind"`
	Path string `json:"path,omitempty"`
	Want string `json:"want,omitempty"`
	Got  string `json:"got,omitempty"`
}

// String returns the finding as a line of the table.
func (f finding) String() string {
	text := string(f.Kind)
	if f.Path != "" {
		text += " " + f.Path
	}
	if f.Want != "" {
		text += ": want " + f.Want
	}
	if f.Got != "" {
		text += ": got " + f.Got
	}
	return text
}

// outcome is the result of an operation or a check.
type outcome string

const (
	agrees      outcome = "agrees"
	contradicts outcome = "contradicts"
	empty       outcome = "empty"       // nothing to compare
	absent      outcome = "absent"      // the operation does not exist, as was feared
	forbidden   outcome = "forbidden"   // the credential may not do it
	unavailable outcome = "unavailable" // no response, or one of a server in trouble
	skipped     outcome = "skipped"     // nothing was sent
)

// result is a line of the table.
type result struct {
	Name     string            `json:"name"`
	Source   string            `json:"source,omitempty"` // documented, observed or assumed; see operation.Operation.Source
	Outcome  outcome           `json:"outcome"`
	Status   int               `json:"status,omitempty"`
	Reason   string            `json:"reason,omitempty"`
	Findings []finding         `json:"findings,omitempty"`
	Shape    map[string]string `json:"shape,omitempty"` // kinds of the fields that came
}

// otherForm reports whether a response differs from the client in more than its fields.
func (r *result) otherForm() bool {
	return slices.ContainsFunc(r.Findings, func(f finding) bool {
		return f.Kind == wrongEnvelope || f.Kind == wrongPaging || f.Kind == wrongStatus
	})
}

// settle sets an outcome that follows from the findings.
func (r *result) settle() {
	for _, f := range r.Findings {
		if f.Kind.contradicts() {
			r.Outcome = contradicts
			return
		}
	}
	if r.Outcome == "" {
		r.Outcome = agrees
	}
}
