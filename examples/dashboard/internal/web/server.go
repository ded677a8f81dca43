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
	"sync"
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
	Note           string // shown at the top, for example that the data is fake
	// PollEvery is the time between two loads of a page that receives no events; 15 seconds by
	// default.
	PollEvery time.Duration
	Log       *slog.Logger
	Now       func() time.Time // time.Now by default
}

// Server serves the dashboard. Create it with [New].
type Server struct {
	Options
	templates *template.Template
	sections  []*section
	hub       *hub
	webhooks  webhookLog
	charts    sync.Map // SVG by chartKey
}

// New returns a server. The caller must call [Server.Changed] after the reader has read a part.
func New(options Options) (*Server, error) {
	s := &Server{Options: options, hub: newHub()}
	if s.Now == nil {
		s.Now = time.Now
	}
	s.PollEvery = cmp.Or(s.PollEvery, 15*time.Second)
	var err error
	s.templates, err = template.New("").Funcs(s.functions()).ParseFS(files, "templates/*.html")
	s.sections = s.newSections()
	return s, err
}

// Changed makes the open pages reload the sections that show a part of the reader.
func (s *Server) Changed(part string) {
	for _, section := range s.sections {
		if section.shows(part) {
			section.revision.Add(1)
			s.hub.publish(section.Name)
		}
	}
}

// Close ends the streams of events, so that the HTTP server can shut down.
func (s *Server) Close() { s.hub.close() }

// Handler returns the handler of all pages. It has no login: whoever can connect to it sees the
// fleet.
func (s *Server) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", s.servePage)
	mux.HandleFunc("GET /sections/{name}", s.serveSection)
	mux.HandleFunc("GET /charts/{name}", s.serveChart)
	mux.HandleFunc("GET /devices", s.serveDevices)
	mux.HandleFunc("GET /devices/{serial}", s.serveDevice)
	mux.HandleFunc("GET /events", s.serveEvents)
	mux.HandleFunc("POST /refresh", s.serveRefresh)
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "ok") })
	mux.Handle("GET /static/", http.FileServerFS(files))
	mux.Handle("POST /webhook", s.newWebhookHandler())
	return withHeaders(http.NewCrossOriginProtection().Handler(mux))
}

// withHeaders sets the headers that prevent a page from running any script but its own.
func withHeaders(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		header := w.Header()
		header.Set("Content-Security-Policy", "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'")
		header.Set("X-Content-Type-Options", "nosniff")
		header.Set("Referrer-Policy", "no-referrer")
		next.ServeHTTP(w, r)
	})
}

func (s *Server) serveRefresh(w http.ResponseWriter, r *http.Request) {
	s.Reader.Refresh(s.Reader.Names()...)
	http.Redirect(w, r, "/", http.StatusSeeOther)
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

// explain describes an error for the page: first what to do about it, then the error itself.
func (s *Server) explain(err error) string {
	advice := ""
	switch {
	case err == nil:
		return ""
	case errors.Is(err, memfault.ErrUnauthorized):
		advice = "Memfault does not accept the credential."
	case errors.Is(err, memfault.ErrForbidden):
		advice = "The credential does not permit to read this."
	case errors.Is(err, memfault.ErrNotFound):
		advice = fmt.Sprintf("Memfault does not know this; check the slugs %q and %q.", s.Project.Organization, s.Project.Project)
	case errors.Is(err, memfault.ErrRateLimited):
		advice = "Memfault limits the rate of requests; lower -rate."
	case errors.Is(err, memfault.ErrNoAnswer), errors.Is(err, memfault.ErrUnavailable):
		advice = "Memfault cannot be reached at the moment."
	case isStatus(err, http.StatusInternalServerError):
		advice = fmt.Sprintf("Memfault failed. A wrong slug can be the cause; check %q and %q.", s.Project.Organization, s.Project.Project)
	}
	if advice == "" {
		return err.Error()
	}
	return advice + " (" + err.Error() + ")"
}

func isStatus(err error, status int) bool {
	var response *memfault.Error
	return errors.As(err, &response) && response.StatusCode == status
}
