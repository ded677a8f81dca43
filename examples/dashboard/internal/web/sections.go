package web

import (
	"bytes"
	"context"
	"html/template"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/memfault-go/memfault/examples/dashboard/internal/reader"
	"github.com/memfault-go/memfault/examples/dashboard/internal/store"
)

// section is a block of the page. It is rendered, and fails, independently of the others.
type section struct {
	Name  string
	Title string
	Wide  bool
	parts []string // the parts of the reader that it shows
	needs []string // those of them without which it shows nothing
	owns  []string // those whose failures it describes
	load  func(context.Context, *snapshot) (any, error)
}

// trouble is the name of the section that describes failures of several parts.
const trouble = "trouble"

func (s *Server) newSections() []*section {
	fleet := []string{reader.Devices, reader.Deployments}
	return []*section{
		{Name: trouble, Wide: true, parts: s.Reader.Names()},
		{
			Name: "verdict", Title: "Verdict", Wide: true, parts: []string{reader.Devices, reader.Deployments, reader.Issues, reader.Traces, reader.Reboots}, needs: fleet,
			load: func(_ context.Context, x *snapshot) (any, error) { return x.verdict, nil },
		},
		{Name: "rollouts", Title: "Rollouts", Wide: true, parts: []string{reader.Deployments, reader.Devices, reader.Reboots}, needs: fleet, load: s.rolloutsView},
		{Name: "issues", Title: "Issues, what changed first", Wide: true, parts: []string{reader.Issues, reader.Traces}, needs: []string{reader.Issues}, owns: []string{reader.Issues, reader.Traces}, load: s.issuesView},
		{Name: "summary", Title: "Fleet", Wide: true, parts: []string{reader.Devices, reader.Issues, reader.Deployments}, load: s.summaryView},
		{Name: "adoption", Title: "Devices by software version, over time", parts: []string{reader.Devices}, needs: []string{reader.Devices}, load: s.adoptionView},
		{Name: "active", Title: "Active devices a day", parts: []string{reader.Devices}, needs: []string{reader.Devices}, load: s.activeView},
		{Name: "reboots", Title: "Reboots a day", Wide: true, parts: []string{reader.Reboots, reader.Devices}, owns: []string{reader.Reboots}, load: s.rebootsView},
		{Name: "versions", Title: "Devices by software version and cohort", parts: []string{reader.Devices}, needs: []string{reader.Devices}, owns: []string{reader.Devices}, load: s.versionsView},
		{Name: "deployments", Title: "Deployments", parts: []string{reader.Deployments, reader.Cohorts}, needs: []string{reader.Deployments}, owns: []string{reader.Deployments, reader.Cohorts}, load: s.deploymentsView},
		{Name: "unseen", Title: "Devices not seen", Wide: true, parts: []string{reader.Devices}, needs: []string{reader.Devices}, load: s.unseenView},
		{Name: "sources", Title: "Data and requests", Wide: true, parts: s.Reader.Names(), load: s.sourcesView},
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
	Failed  []failedPart // those that no other section describes
	Stale   bool         // whether the last read of a part failed
}

type failedPart struct {
	reader.Status
	Problem string
}

// commonFailure is a failure of several parts at once, such as an outage.
type commonFailure struct {
	Problem string
	Parts   string
	Since   time.Time // when the first of the parts was read last; zero if one never was
}

// failures returns the failures that several parts have in common, and those of single parts.
func (s *Server) failures() (common []commonFailure, single map[string]string) {
	byReason := map[string][]reader.Status{}
	var order []string
	for _, name := range s.Reader.Names() {
		status := s.Reader.Status(name)
		if status.Err == nil {
			continue
		}
		reason := s.advice(status.Err)
		if reason == "" {
			reason = status.Err.Error()
		}
		if byReason[reason] == nil {
			order = append(order, reason)
		}
		byReason[reason] = append(byReason[reason], status)
	}
	single = map[string]string{}
	for _, reason := range order {
		parts := byReason[reason]
		if len(parts) == 1 && parts[0].Name != reader.Project {
			single[parts[0].Name] = s.explain(parts[0].Err)
			continue
		}
		failure := commonFailure{Problem: s.explain(parts[0].Err), Since: parts[0].Last.ReadAt}
		var names []string
		for _, part := range parts {
			names = append(names, part.Name)
			if part.Last.ReadAt.Before(failure.Since) {
				failure.Since = part.Last.ReadAt
			}
		}
		failure.Parts = strings.Join(names, ", ")
		common = append(common, failure)
	}
	return common, single
}

// view renders a section. It always succeeds: a failure is part of the section.
func (s *Server) view(ctx context.Context, section *section, r *http.Request) sectionView {
	view := sectionView{section: section}
	common, single := s.failures()
	for _, name := range section.parts {
		status := s.Reader.Status(name)
		view.Parts = append(view.Parts, status)
		view.Stale = view.Stale || status.Err != nil
		if problem := single[name]; problem != "" && slices.Contains(section.owns, name) {
			view.Failed = append(view.Failed, failedPart{status, problem})
		}
	}
	for _, name := range section.needs {
		if !s.wasRead(name) {
			return view
		}
	}
	data, err := any(common), error(nil)
	if section.load != nil {
		var x *snapshot
		if x, err = s.snapshot(ctx, scopeOf(r)); err == nil {
			showing := *x
			showing.perHundred = perHundred(r)
			data, err = section.load(ctx, &showing)
		}
	}
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
	Search   string
	Picker   []link // of several projects
	Identity string // of the reader, from a proxy
	Scope    store.Filter
	// Cohorts, Hardware and Versions are the choices of the filters.
	Cohorts, Hardware, Versions []string
	PerHundred                  bool // whether reboots are shown for 100 devices
	Empty                       bool // whether the project has no devices
}

func (s *Server) newPage(r *http.Request) pageView {
	return pageView{Server: s, Picker: s.Picker, Identity: identityOf(r)}
}

func (s *Server) servePage(w http.ResponseWriter, r *http.Request) {
	page := s.newPage(r)
	page.Scope, page.PerHundred = scopeOf(r), perHundred(r)
	fleet, err := s.snapshot(r.Context(), store.Filter{})
	if err != nil {
		s.fail(w, "The store could not be read.", err)
		return
	}
	page.Cohorts, page.Hardware, page.Versions = names(fleet.counts)
	page.Empty = s.wasRead(reader.Devices) && fleet.all.Devices == 0
	for _, section := range s.sections {
		page.Sections = append(page.Sections, s.view(r.Context(), section, r))
	}
	s.render(w, http.StatusOK, "page", page)
}

// names returns the choices of the filters, the newest version first.
func names(counts []store.Count) (cohorts, hardware, versions []string) {
	for _, c := range counts {
		cohorts, hardware, versions = append(cohorts, c.Cohort), append(hardware, c.Hardware), append(versions, c.Version)
	}
	for _, all := range []*[]string{&cohorts, &hardware, &versions} {
		slices.Sort(*all)
		*all = slices.DeleteFunc(slices.Compact(*all), func(name string) bool { return name == "" })
	}
	slices.SortFunc(versions, func(a, b string) int { return compareVersions(b, a) })
	return cohorts, hardware, versions
}

func (s *Server) serveSection(w http.ResponseWriter, r *http.Request) {
	section := s.section(r.PathValue("name"))
	if section == nil {
		s.notFound(w, r)
		return
	}
	s.render(w, http.StatusOK, "section", s.view(r.Context(), section, r))
}

// headView is what the template "head" shows.
type headView struct {
	pageView
	Title string
}

// Head returns the data of the template "head".
func (p pageView) Head(title string) headView { return headView{p, title} }
