// Package web serves the pages of the dashboard.
package web

import (
	"bytes"
	"cmp"
	"embed"
	"errors"
	"fmt"
	"html/template"
	"log/slog"
	"net/http"
	"time"

	"github.com/memfault-go/memfault"

	"github.com/memfault-go/memfault/examples/dashboard/internal/reader"
	"github.com/memfault-go/memfault/examples/dashboard/internal/store"
)

//go:embed templates static
var files embed.FS

// Options are the options of [New]. Client, Project, Store, Reader and Log are required.
type Options struct {
	Client  *memfault.Client // for the page of a device
	Project memfault.ProjectRef
	Store   *store.Store
	Reader  *reader.Reader
	// UnseenAfter is the time after which a device counts as not seen; required.
	UnseenAfter time.Duration
	// RequestsPerSecond is the limit of the client, to estimate the time of a refresh; required.
	RequestsPerSecond float64
	// WebhookSecrets are the secrets of the webhook; without one, webhooks are rejected.
	WebhookSecrets []string
	Rules          Rules  // [DefaultRules] by default
	Note           string // shown at the top, for example that the data is fake
	// Base is the path below which the pages are, without a slash at the end; empty by default.
	Base string
	// PollEvery is the time between two loads of a page that receives no events; 15 seconds by
	// default.
	PollEvery time.Duration
	Log       *slog.Logger
	Now       func() time.Time // time.Now by default
}

// Server serves the pages of a project. Create it with [New].
type Server struct {
	Options
	Picker    []link // the pages of all projects, if there are several
	templates *template.Template
	sections  []*section
	hub       *hub
	webhooks  *webhookLog
	snapshots snapshots
}

// New returns a server. The caller must call [Server.Changed] after the reader has read a part.
func New(options Options) (*Server, error) {
	s := &Server{Options: options, hub: newHub(), webhooks: new(webhookLog)}
	if s.Now == nil {
		s.Now = time.Now
	}
	if s.Rules == (Rules{}) {
		s.Rules = DefaultRules()
	}
	s.PollEvery = cmp.Or(s.PollEvery, 15*time.Second)
	var err error
	s.templates, err = template.New("").Funcs(s.functions()).ParseFS(files, "templates/*.html")
	s.sections = s.newSections()
	return s, err
}

// Changed makes the open pages reload the sections that show a part of the reader.
func (s *Server) Changed(part string) {
	s.snapshots.forget()
	for _, section := range s.sections {
		if section.shows(part) {
			s.hub.publish(section.Name)
		}
	}
}

// Close ends the streams of events, so that the HTTP server can shut down.
func (s *Server) Close() { s.hub.close() }

// handler returns the handler of the pages of the project, below Base.
func (s *Server) handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", s.servePage)
	mux.HandleFunc("GET /sections/{name}", s.serveSection)
	mux.HandleFunc("GET /devices", s.serveDevices)
	mux.HandleFunc("GET /devices/{serial}", s.serveDevice)
	mux.HandleFunc("GET /devices/{serial}/logs/{cid}", s.serveLogFile)
	mux.HandleFunc("GET /events", s.serveEvents)
	mux.HandleFunc("POST /refresh", s.serveRefresh)
	mux.HandleFunc("/", s.notFound)
	return http.StripPrefix(s.Base, mux)
}

func (s *Server) serveRefresh(w http.ResponseWriter, r *http.Request) {
	s.Reader.Refresh(s.Reader.Names()...)
	http.Redirect(w, r, s.Base+"/", http.StatusSeeOther)
}

// render writes a page. It renders the whole page before it writes, so that an error is not sent
// after half a page.
func (s *Server) render(w http.ResponseWriter, status int, name string, data any) {
	var page bytes.Buffer
	if err := s.templates.ExecuteTemplate(&page, name, data); err != nil {
		s.Log.Error("page not rendered", "page", name, "error", err)
		http.Error(w, "The page could not be rendered. The log of the dashboard says why.", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_, _ = page.WriteTo(w) // the browser may be gone
}

// messageView is what the template "message" shows.
type messageView struct {
	pageView
	Title, Text string
}

func (s *Server) notFound(w http.ResponseWriter, r *http.Request) {
	s.message(w, r, http.StatusNotFound, "Not found", "The dashboard has no such page.")
}

func (s *Server) message(w http.ResponseWriter, r *http.Request, status int, title, text string) {
	s.render(w, status, "message", messageView{pageView: s.newPage(r), Title: title, Text: text})
}

// fail responds to a request that could not be served.
func (s *Server) fail(w http.ResponseWriter, text string, err error) {
	s.Log.Error("request failed", "problem", text, "error", err)
	http.Error(w, text+" "+err.Error(), http.StatusInternalServerError)
}

// explain describes an error for the page: first what to do about it, then the error itself.
func (s *Server) explain(err error) string {
	if err == nil {
		return ""
	}
	if advice := s.advice(err); advice != "" {
		return advice + " (" + err.Error() + ")"
	}
	return err.Error()
}

// advice says what to do about an error; nothing if that is not known.
func (s *Server) advice(err error) string {
	switch {
	case errors.Is(err, memfault.ErrUnauthorized):
		return "Memfault does not accept the credential."
	case errors.Is(err, memfault.ErrForbidden):
		return "The credential does not permit to read this."
	case errors.Is(err, memfault.ErrNotFound):
		return fmt.Sprintf("Memfault does not know this; check the slugs %q and %q.", s.Project.Organization, s.Project.Project)
	case errors.Is(err, memfault.ErrRateLimited):
		return "Memfault limits the rate of requests; lower -rate."
	case errors.Is(err, memfault.ErrNoAnswer), errors.Is(err, memfault.ErrUnavailable):
		return "Memfault cannot be reached at the moment."
	case isStatus(err, http.StatusInternalServerError):
		return fmt.Sprintf("Memfault failed. A wrong slug can be the cause; check %q and %q.", s.Project.Organization, s.Project.Project)
	}
	return ""
}

func isStatus(err error, status int) bool {
	var response *memfault.Error
	return errors.As(err, &response) && response.StatusCode == status
}
