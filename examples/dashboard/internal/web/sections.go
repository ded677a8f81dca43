package web

import (
	"bytes"
	"context"
	"fmt"
	"html/template"
	"net/http"
	"slices"
	"sync/atomic"

	"github.com/memfault-go/memfault/examples/dashboard/internal/reader"
)

// section is a block of the page. It is rendered, and fails, independently of the others.
type section struct {
	Name     string
	Title    string
	Wide     bool
	Overview bool     // of parts that have a section of their own, which describes their failures
	parts    []string // the parts of the reader that it shows
	load     func(context.Context) (any, error)
	revision atomic.Int64 // grows with each change
}

func (s *Server) newSections() []*section {
	return []*section{
		{Name: "summary", Title: "Fleet", Wide: true, Overview: true, parts: []string{reader.Devices, reader.Issues, reader.Deployments}, load: s.loadSummary},
		{Name: "versions", Title: "Devices by software version and cohort", parts: []string{reader.Devices}, load: s.loadVersions},
		{Name: "rollouts", Title: "Rollouts over time", parts: []string{reader.Deployments, reader.Devices}, load: s.loadRollouts},
		{Name: "reboots", Title: "Reboots a day by reason", Wide: true, parts: []string{reader.Reboots}, load: s.loadReboots},
		{Name: "issues", Title: "Top issues", Wide: true, parts: []string{reader.Issues}, load: s.loadIssues},
		{Name: "deployments", Title: "Deployments", parts: []string{reader.Deployments, reader.Cohorts}, load: s.loadDeployments},
		{Name: "unseen", Title: "Devices not seen", parts: []string{reader.Devices}, load: s.loadUnseen},
		{Name: "sources", Title: "Data and requests", Wide: true, Overview: true, parts: s.Reader.Names(), load: s.loadSources},
	}
}

func (x *section) shows(part string) bool { return slices.Contains(x.parts, part) }

func (s *Server) section(name string) *section {
	for _, section := range s.sections {
		if section.Name == name {
			return section
		}
	}
	return nil
}

// sectionView is what the template "section" shows.
type sectionView struct {
	*section
	Body    template.HTML // empty if there is nothing to show yet
	Problem string        // why Body is empty
	Parts   []reader.Status
	Failed  []failedPart
}

type failedPart struct {
	reader.Status
	Problem string
}

// view renders a section. It always succeeds: a failure is part of the section.
func (s *Server) view(ctx context.Context, section *section) sectionView {
	view := sectionView{section: section}
	missing := false // whether the section has nothing to show
	for _, name := range section.parts {
		status := s.Reader.Status(name)
		view.Parts = append(view.Parts, status)
		if status.Err != nil {
			view.Failed = append(view.Failed, failedPart{status, s.explain(status.Err)})
		}
		missing = missing || status.Last.ReadAt.IsZero() && !section.Overview && name != reader.Reboots
	}
	if missing {
		return view
	}
	data, err := section.load(ctx)
	if err == nil {
		var body bytes.Buffer
		if err = s.templates.ExecuteTemplate(&body, section.Name, data); err == nil {
			view.Body = template.HTML(body.String()) //nolint:gosec // rendered by html/template
			return view
		}
	}
	s.Log.Error("section not rendered", "section", section.Name, "error", err)
	view.Problem = "This section could not be rendered: " + err.Error()
	return view
}

type pageView struct {
	Server   *Server
	Sections []sectionView
	Trouble  []failedPart // of the project itself
	Search   string
}

func (s *Server) newPage() pageView {
	page := pageView{Server: s}
	if status := s.Reader.Status(reader.Project); status.Err != nil {
		page.Trouble = append(page.Trouble, failedPart{status, s.explain(status.Err)})
	}
	return page
}

func (s *Server) servePage(w http.ResponseWriter, r *http.Request) {
	page := s.newPage()
	for _, section := range s.sections {
		page.Sections = append(page.Sections, s.view(r.Context(), section))
	}
	s.render(w, http.StatusOK, "page", page)
}

func (s *Server) serveSection(w http.ResponseWriter, r *http.Request) {
	section := s.section(r.PathValue("name"))
	if section == nil {
		http.NotFound(w, r)
		return
	}
	s.render(w, http.StatusOK, "section", s.view(r.Context(), section))
}

// serveChart serves a section's chart as SVG.
func (s *Server) serveChart(w http.ResponseWriter, r *http.Request) {
	section := s.section(r.PathValue("name"))
	if section == nil {
		http.NotFound(w, r)
		return
	}
	key := chartKey{section.Name, r.FormValue("theme"), r.FormValue("size"), section.revision.Load()}
	tag := fmt.Sprintf(`"%s-%s-%s-%d-%d"`, key.section, key.theme, key.size, key.revision, s.hub.started)
	w.Header().Set("ETag", tag)
	w.Header().Set("Cache-Control", "no-cache")
	if r.Header.Get("If-None-Match") == tag {
		w.WriteHeader(http.StatusNotModified)
		return
	}
	svg, err := s.chart(r.Context(), section, key)
	if err != nil {
		w.Header().Del("ETag")
		http.Error(w, err.Error(), http.StatusNotFound)
		return
	}
	w.Header().Set("Content-Type", "image/svg+xml")
	// The library sets the style attribute of each element. Nothing else may run or load.
	w.Header().Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'")
	_, _ = w.Write(svg) // the browser may be gone
}

type chartKey struct {
	section, theme, size string
	revision             int64
}

func (s *Server) chart(ctx context.Context, section *section, key chartKey) ([]byte, error) {
	if svg, ok := s.charts.Load(key); ok {
		return svg.([]byte), nil
	}
	data, err := section.load(ctx)
	if err != nil {
		return nil, err
	}
	charted, ok := data.(interface{ chart() *chart })
	if !ok || charted.chart() == nil {
		return nil, fmt.Errorf("section %q has no chart", section.Name)
	}
	svg, err := charted.chart().draw(key.theme, key.size)
	if err != nil {
		return nil, err
	}
	s.charts.Range(func(old, _ any) bool {
		if old := old.(chartKey); old.section == key.section && old.revision < key.revision {
			s.charts.Delete(old)
		}
		return true
	})
	s.charts.Store(key, svg)
	return svg, nil
}

// headView is what the template "head" shows.
type headView struct {
	pageView
	Title string
}

// Head returns the data of the template "head".
func (p pageView) Head(title string) headView { return headView{p, title} }

// pictureView is what the template "picture" shows.
type pictureView struct {
	Name, Text, Size string
	Revision         int64
}

func (s *Server) picture(name, text string) pictureView {
	section := s.section(name)
	picture := pictureView{Name: name, Text: text, Size: "half", Revision: section.revision.Load()}
	if section.Wide {
		picture.Size = "full"
	}
	return picture
}
