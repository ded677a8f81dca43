package main

import (
	"slices"
	"strconv"

	"github.com/memfault-go/memfault"
	"github.com/memfault-go/memfault/examples/verify/internal/shape"
)

// session contains what a run has learned so far. It is not safe for concurrent use.
type session struct {
	recorder *recorder
	client   *memfault.Client   // with the first credential of the environment
	others   []*memfault.Client // with the other credentials of the environment
	project  memfault.ProjectRef
	chunks   string // address of the chunks host

	organizationToken bool // whether client has one

	scratch        memfault.ProjectRef // of -write
	wrote          bool                // whether -write began
	attributeValue any                 // for the attribute of the own device
	leftovers      []string            // what could not be removed

	strings     map[string]bool   // all that responses had
	known       map[string]string // what earlier responses had: serials, IDs, slugs
	moreDevices []string          // devices besides the first, for lists that are empty there
	results     []result
	marks       map[string]verdict
}

// keep remembers a value of a response, the first of its kind.
func (s *session) keep(what, value string) {
	if value != "" && value != "0" && s.known[what] == "" {
		s.known[what] = value
	}
}

func (s *session) keepID(what string, id int64) { s.keep(what, strconv.FormatInt(id, 10)) }

// id returns a number that was kept.
func (s *session) id(what string) int64 {
	id, _ := strconv.ParseInt(s.known[what], 10, 64) // a needed one was kept as a number
	return id
}

const noneHad = "it requires what no response had: "

// missing returns the first of the needed values that no response had.
func (s *session) missing(needs []string) string {
	for _, need := range needs {
		if s.known[need] == "" {
			return need
		}
	}
	return ""
}

// learn remembers the strings of a response, so that none is written as the name of a field.
func (s *session) learn(got *exchange) {
	value, _ := shape.Decode(got.body) // nil if it is not JSON
	var add func(value any)
	add = func(value any) {
		switch value := value.(type) {
		case map[string]any:
			for _, member := range value {
				add(member)
			}
		case []any:
			for _, item := range value {
				add(item)
			}
		case string:
			s.strings[value] = true
		}
	}
	add(value)
}

// private reports whether a field name is data of the account.
func (s *session) private(name string) bool {
	return s.strings[name] || name == s.project.Organization || name == s.project.Project || name == s.scratch.Project
}

// state is whether a mark is settled.
type state string

const (
	confirmed state = "confirmed"
	refuted   state = "refuted"
	open      state = "open"
)

// verdict is the result of a run for a mark.
type verdict struct {
	State  state  `json:"state"`
	Answer string `json:"answer"`
}

// decide settles a mark. A refutation stays.
func (s *session) decide(name string, is bool, yes, no string) {
	if s.marks[name].State == refuted {
		return
	}
	s.marks[name] = verdict{confirmed, yes}
	if !is {
		s.marks[name] = verdict{refuted, no}
	}
}

// leave records why a mark stays open, unless it is settled.
func (s *session) leave(name, reason string) {
	if _, settled := s.marks[name]; !settled {
		s.marks[name] = verdict{open, reason}
	}
}

// contradicted reports whether a result contradicts the client.
func (s *session) contradicted() bool {
	return slices.ContainsFunc(s.results, func(r result) bool { return r.Outcome == contradicts })
}

// agreed reports whether at least one result is of a response that was compared.
func (s *session) agreed() bool {
	return slices.ContainsFunc(s.results, func(r result) bool {
		return r.Outcome == agrees || r.Outcome == contradicts || r.Outcome == empty
	})
}
