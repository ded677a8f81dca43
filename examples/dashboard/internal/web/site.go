package web

import (
	"context"
	"fmt"
	"io/fs"
	"net/http"
	"strings"
	"time"

	"github.com/memfault-go/memfault"

	"github.com/memfault-go/memfault/examples/dashboard/internal/reader"
	"github.com/memfault-go/memfault/examples/dashboard/internal/store"
)

// Site serves one or several projects. The fields are required, except Metrics.
type Site struct {
	Servers []*Server
	Access  Access
	Metrics http.Handler // serves /metrics
}

// BaseOf returns the [Options.Base] of a project of a site with several.
func BaseOf(project memfault.ProjectRef) string {
	return "/" + project.Organization + "/" + project.Project
}

// Handler returns the handler of all pages.
func (x *Site) Handler() http.Handler {
	webhooks := new(webhookLog)
	pages := http.NewServeMux()
	if len(x.Servers) == 1 {
		pages.Handle("/", x.Servers[0].handler())
	} else {
		var picker []link
		for _, s := range x.Servers {
			picker = append(picker, link{s.Project.Project, s.Base + "/"})
		}
		for _, s := range x.Servers {
			s.Picker = picker
			pages.Handle(s.Base+"/", s.handler())
		}
		pages.HandleFunc("GET /{$}", x.servePicker)
		pages.HandleFunc("/", x.Servers[0].notFound)
	}
	for _, s := range x.Servers {
		s.webhooks = webhooks
	}
	pages.HandleFunc("GET /static/{name}", serveStatic)
	if x.Metrics != nil {
		pages.Handle("GET /metrics", x.Metrics)
	}
	mux := http.NewServeMux()
	mux.Handle("/", x.Access.require(pages))
	// A webhook is signed instead, and a probe has no credential and often no name for the host.
	mux.Handle("POST /webhook", x.Access.requireHost(x.newWebhookHandler(webhooks)))
	mux.HandleFunc("GET /healthz", x.serveHealth)
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

// serveStatic serves a file of the directory static, but not the directory.
func serveStatic(w http.ResponseWriter, r *http.Request) {
	name := "static/" + r.PathValue("name")
	if info, err := fs.Stat(files, name); err != nil || info.IsDir() {
		http.NotFound(w, r)
		return
	}
	http.ServeFileFS(w, r, files, name) //nolint:gosec // the files are embedded
}

// pickerView is what the template "picker" shows.
type pickerView struct {
	pageView
	Projects []pickerRow
}

type pickerRow struct {
	Project  memfault.ProjectRef
	Address  string
	Level    level
	Headline string
	Devices  int
}

// servePicker serves the list of projects with their verdicts.
func (x *Site) servePicker(w http.ResponseWriter, r *http.Request) {
	first := x.Servers[0]
	view := pickerView{pageView: first.newPage(r)}
	for _, s := range x.Servers {
		row := pickerRow{Project: s.Project, Address: s.Base + "/", Headline: "Reading …"}
		if s.wasRead(reader.Devices) && s.wasRead(reader.Deployments) {
			snapshot, err := s.snapshot(r.Context(), store.Filter{})
			if err != nil {
				s.fail(w, "The store could not be read.", err)
				return
			}
			row.Level, row.Headline, row.Devices = snapshot.verdict.Level, snapshot.verdict.Headline, snapshot.all.Devices
		}
		view.Projects = append(view.Projects, row)
	}
	first.render(w, http.StatusOK, "picker", view)
}

// lateAfter is the time after which a read that should have begun shows that the reader is stuck.
const lateAfter = 5 * time.Minute

// serveHealth responds with 200 if the stores can be read and no reader is stuck, otherwise with 503.
// That Memfault cannot be reached is not a failure of the dashboard; the body says it.
func (x *Site) serveHealth(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), 5*time.Second)
	defer cancel()
	status := http.StatusOK
	var text strings.Builder
	for _, s := range x.Servers {
		if _, err := s.Store.Parts(ctx); err != nil {
			status = http.StatusServiceUnavailable
			fmt.Fprintf(&text, "%s: the store cannot be read\n", s.Project.Project)
		}
		for _, name := range s.Reader.Names() {
			part := s.Reader.Status(name)
			switch now := s.Now(); {
			case !part.Reading && !part.Next.IsZero() && now.Sub(part.Next) > lateAfter:
				status = http.StatusServiceUnavailable
				fmt.Fprintf(&text, "%s: %s should have been read %s\n", s.Project.Project, name, ago(now.Sub(part.Next)))
			case part.Err != nil:
				fmt.Fprintf(&text, "%s: %s could not be read %s\n", s.Project.Project, name, ago(now.Sub(part.FailedAt)))
			}
		}
	}
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	fmt.Fprint(w, map[bool]string{true: "ok\n", false: "failed\n"}[status == http.StatusOK]+text.String())
}
