package fakecloud

import (
	"cmp"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/memfault-go/memfault/internal/operation"
)

// Cohort describes a cohort.
type Cohort struct {
	Slug string
	Name string // Slug by default
	// BypassVersionChecks offers a device of the cohort a full release with a lower version too.
	BypassVersionChecks bool
}

type cohort struct {
	id              int64
	name, slug      string
	bypassChecks    bool
	created, edited time.Time
}

// AddCohorts adds cohorts to the default project. A cohort that exists gets the name and the
// setting.
func (c *Cloud) AddCohorts(cohorts ...Cohort) {
	c.mu.Lock()
	defer c.mu.Unlock()
	p := c.seeded
	for _, co := range cohorts {
		if !c.accepts("a cohort", required("slug", co.Slug)) {
			continue
		}
		added := c.ensureCohort(p, co.Slug)
		added.name, added.bypassChecks = cmp.Or(co.Name, co.Slug), co.BypassVersionChecks
	}
}

func (c *Cloud) ensureCohort(p *project, slug string) *cohort {
	if found := p.cohort(slug); found != nil {
		return found
	}
	return c.addCohort(p, slug, slug)
}

func (c *Cloud) addCohort(p *project, name, slug string) *cohort {
	added := &cohort{id: c.newID(), name: name, slug: slug, created: c.now(), edited: c.now()}
	p.cohorts = append(p.cohorts, added)
	return added
}

func (p *project) cohort(slug string) *cohort {
	for _, c := range p.cohorts {
		if c.slug == slug {
			return c
		}
	}
	return nil
}

func (p *project) cohortView(c *cohort) object {
	active := filter(p.deployments, func(d *deployment) bool { return d.cohort == c && d.isActive() })
	return object{
		"id": c.id, "name": c.name, "slug": c.slug, "count_devices": p.fleet.counts[c],
		"bypass_primary_software_type_check": false, "bypass_version_checks": c.bypassChecks,
		"count_active_deployments": len(active), "count_active_releases": len(active),
		"count_staged_devices": p.countStaged(active),
		"ignore_traces":        false, "return_equal_latest_releases": false, "updates_enabled": true,
		"last_deployment": p.lastDeployment(c), "created_date": stamp(c.created), "updated_date": stamp(c.edited),
	}
}

func (c *cohort) ref() slugRef { return slugRef{c.id, c.name, c.slug} }

func (c *Cloud) cohortHandlers() map[*operation.Operation]handler {
	return map[*operation.Operation]handler{
		operation.CohortsCreate:      c.createCohort,
		operation.CohortsList:        c.listCohorts,
		operation.CohortsRetrieve:    withCohort(func(r *request, found *cohort) reply { return data(r.project.cohortView(found)) }),
		operation.CohortsUpdate:      withCohort(c.updateCohort),
		operation.CohortsDelete:      withCohort(c.deleteCohort),
		operation.CohortsListDevices: withCohort(c.listCohortDevices),
		operation.CohortsMoveDevices: withCohort(func(*request, *cohort) reply {
			return fail(http.StatusBadRequest, "The request body of this operation is unknown")
		}),
	}
}

// withCohort responds with 404 if the cohort does not exist.
func withCohort(handle func(*request, *cohort) reply) handler {
	return func(r *request) reply {
		slug := r.PathValue("cohort_slug")
		found := r.project.cohort(slug)
		if found == nil {
			return notFound(fmt.Sprintf("Cohort with slug `%s` not found", slug))
		}
		return handle(r, found)
	}
}

func (c *Cloud) createCohort(r *request) reply {
	var body struct{ Name, Slug string }
	if refused, ok := r.decode(&body); !ok {
		return refused
	}
	if body.Name == "" {
		return invalid("name", "Missing data for required field.")
	}
	if body.Slug == "" {
		body.Slug = strings.ReplaceAll(strings.ToLower(body.Name), " ", "-")
	}
	for _, existing := range r.project.cohorts {
		if existing.slug == body.Slug || existing.name == body.Name {
			return fail(http.StatusConflict, fmt.Sprintf("A cohort named `%s` already exists", body.Name))
		}
	}
	return data(r.project.cohortView(c.addCohort(r.project, body.Name, body.Slug)))
}

func (c *Cloud) listCohorts(r *request) reply {
	cohorts := filter(r.project.cohorts, func(co *cohort) bool { return r.wants("name", co.name) && r.wants("slug", co.slug) })
	sortBy(r, cohorts, "created_date", func(a, b *cohort) int { return a.created.Compare(b.created) })
	return list(r, cohorts, r.project.cohortView)
}

func (c *Cloud) updateCohort(r *request, found *cohort) reply {
	var body struct{ Name, Slug *string }
	if refused, ok := r.decode(&body); !ok {
		return refused
	}
	change(&found.name, body.Name)
	change(&found.slug, body.Slug)
	found.edited = c.now()
	return data(r.project.cohortView(found))
}

func (c *Cloud) deleteCohort(r *request, found *cohort) reply {
	if r.project.fleet.counts[found] > 0 {
		return fail(http.StatusConflict, "The cohort has devices")
	}
	r.project.cohorts = slices.DeleteFunc(r.project.cohorts, func(other *cohort) bool { return other == found })
	return noContent()
}

func (c *Cloud) listCohortDevices(r *request, found *cohort) reply {
	return listDevices(r, func() []*device { return r.project.fleet.inCohort(found) })
}
