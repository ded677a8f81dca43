package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"strconv"

	"github.com/memfault-go/memfault"
	"github.com/memfault-go/memfault/internal/operation"
)

// run calls the operation and adds the result to the session.
func (p probe) run(ctx context.Context, s *session) {
	r := p.attempt(ctx, s, append([]*memfault.Client{s.client}, s.others...))
	if r.Outcome == forbidden && len(s.others) > 0 {
		if other := p.attempt(ctx, s, s.others); other.Outcome != skipped && other.Outcome != forbidden {
			other.Reason = "with another credential; the first may not call the operation"
			r = other
		}
	}
	for i := 0; p.perDevice && r.Outcome == empty && i < len(s.moreDevices); i++ {
		before := s.known["device"]
		s.known["device"] = s.moreDevices[i]
		if other := p.attempt(ctx, s, []*memfault.Client{s.client}); other.Outcome != unavailable {
			r = other
		}
		s.known["device"] = before
	}
	s.results = append(s.results, r)
}

// attempt calls the operation with the first of the clients whose credential it accepts.
func (p probe) attempt(ctx context.Context, s *session, clients []*memfault.Client) (r result) {
	r = result{Name: p.op.Name, Source: p.op.Source()}
	if need := s.missing(p.needs); need != "" {
		r.Outcome, r.Reason = skipped, noneHad+need
		return r
	}
	s.recorder.take()
	var err error
	for _, client := range clients {
		if err = p.call(ctx, s, client); !errors.Is(err, memfault.ErrWrongCredential) {
			break
		}
	}
	got := s.recorder.take()
	switch {
	case errors.Is(err, memfault.ErrWrongCredential):
		r.Outcome, r.Reason = skipped, "the operation accepts only "+p.op.Credentials.String()
		return r
	case got == nil:
		r.Outcome, r.Reason = unavailable, "no response"
		return r
	case err != nil && ctx.Err() != nil: // the response may be cut off
		r.Outcome, r.Reason = unavailable, "the run was interrupted"
		return r
	}
	r.Status = got.status
	s.learn(got)
	p.judge(s, &r, got, err)
	r.settle()
	if p.after != nil {
		p.after(s, &r, got)
	}
	return r
}

// judge finds out in what a response differs.
func (p probe) judge(s *session, r *result, got *exchange, err error) {
	if p.judgeStatus(r, got) {
		return
	}
	before := len(r.Findings)
	if got.status != http.StatusNoContent && p.op.Reply != operation.Empty {
		p.judgeBody(s, r, got)
	} else if p.op.Reply != operation.Empty {
		r.Outcome = empty
	}
	if err != nil && !slices.ContainsFunc(r.Findings[before:], func(f finding) bool { return f.Kind.contradicts() }) {
		r.Findings = append(r.Findings, finding{Kind: unreadable, Got: failureKind(err)})
	}
}

// judgeStatus reports whether the status alone decides.
func (p probe) judgeStatus(r *result, got *exchange) bool {
	status := got.status
	gone := status == http.StatusNotFound || status == http.StatusMethodNotAllowed || status == http.StatusGone
	switch {
	case status == http.StatusUnauthorized || status == http.StatusForbidden:
		r.Outcome, r.Reason = forbidden, "the credential may not call the operation"
	case status == http.StatusTooManyRequests || status >= 500:
		r.Outcome, r.Reason = unavailable, "Memfault could not serve the request"
	case gone && p.mark != "":
		r.Outcome, r.Reason = absent, "the operation does not exist"
	case p.goneIsFine && (gone || status == http.StatusOK): // it was looked for, and is not there
		r.Outcome = agrees
		return true
	case gone && p.op.Method == http.MethodHead:
		r.Outcome = agrees // HEAD asks whether something is there
	case !slices.Contains(p.op.Success, status):
		r.Findings = append(r.Findings, finding{Kind: wrongStatus, Want: statuses(p.op.Success), Got: strconv.Itoa(status)})
	default:
		return false
	}
	if status >= 400 && p.op.Method != http.MethodHead {
		judgeError(r, got, otherwise)
	}
	return true
}

// judgeBody compares the body of a success with the model.
func (p probe) judgeBody(s *session, r *result, got *exchange) {
	switch p.op.Reply {
	case operation.Text:
		// The client reads the text, and an object in the usual envelope.
		if members, err := membersOf(got.body); err == nil && !isKind(members["data"], '{') {
			r.Findings = append(r.Findings, finding{Kind: wrongEnvelope, Want: "plain text, or an object in data", Got: "another object"})
		}
		return
	case operation.Stream:
		return
	}
	if !got.whole {
		r.Findings = append(r.Findings, finding{Kind: otherwise, Want: "a response of less than 1 MiB", Got: "more, which was not compared"})
		return
	}
	values, path := p.values(r, got.body)
	if values == nil || p.compare == nil {
		return
	}
	if len(values) == 0 {
		r.Outcome = empty
		return
	}
	compared, err := p.compare(values, path, s.private)
	if err != nil {
		r.Findings = append(r.Findings, finding{Kind: unreadable, Path: path, Got: "JSON that cannot be compared"})
		return
	}
	r.Shape = compared.Shape
	for _, d := range compared.Wrong {
		r.Findings = append(r.Findings, finding{wrongType, d.Path, d.Want, d.Got})
	}
	for _, missing := range compared.Missing {
		if mayBeAbsent(p.op.Name, missing, compared.Missing) == "" {
			r.Findings = append(r.Findings, finding{Kind: neverCame, Path: missing})
		}
	}
	for _, d := range compared.Unknown {
		r.Findings = append(r.Findings, finding{unknownField, d.Path, d.Want, d.Got})
	}
}

// membersOf returns the fields of a JSON object.
func membersOf(body []byte) (map[string]json.RawMessage, error) {
	var members map[string]json.RawMessage
	if err := json.Unmarshal(body, &members); err != nil {
		return nil, err
	}
	if members == nil {
		return nil, errors.New("null")
	}
	return members, nil
}

// isKind reports whether JSON begins an object or a list.
func isKind(data json.RawMessage, begin byte) bool {
	data = bytes.TrimSpace(data)
	return len(data) > 0 && data[0] == begin
}

func statuses(codes []int) string {
	text := ""
	for i, code := range codes {
		if i > 0 {
			text += " or "
		}
		text += strconv.Itoa(code)
	}
	return text
}

// failureKind describes an error of the client without its text, which can quote a response.
func failureKind(err error) string {
	switch {
	case errors.Is(err, memfault.ErrUnexpectedResponse):
		return "a response that the client does not expect"
	case errors.Is(err, memfault.ErrNoAnswer):
		return "an incomplete response"
	default:
		return "an error of the client"
	}
}
