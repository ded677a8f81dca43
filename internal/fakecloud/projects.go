package fakecloud

import (
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/memfault-go/memfault/internal/operation"
)

// project contains the state of one project.
type project struct {
	id              int64
	name, slug      string
	platform, os    string
	key             string
	created, edited time.Time

	cohorts          []*cohort
	fleet            fleet
	hardwareVersions []*hardwareVersion
	softwareTypes    []*softwareType
	releases         []*release
	deltas           []*delta
	deployments      []*deployment
	installs         []*install
	rateLimited      map[string]bool // serials whose requests for the latest release are rate-limited
	rolloutReaches   func(serial string, percent int) bool
	diagnostics      diagnostics
	processingLog    processingLog
	chunks           chunkLog
	decoders         map[string]*chunkDecoder // by serial
	metricNames      [][]string
	symbols          []*symbols // in the order of their upload
	builds           []string   // the build IDs of symbols
}

func (c *Cloud) addProject(org *organization, name, slug string) *project {
	p := &project{id: c.newID(), name: name, slug: slug, key: randomHex(), created: c.now(), edited: c.now()}
	p.fleet, p.rateLimited = newFleet(), map[string]bool{}
	c.addSoftwareType(p, primarySoftwareType)
	c.ensureHardware(p, defaultHardware, primarySoftwareType)
	c.addCohort(p, "Default", "default")
	org.projects = append(org.projects, p)
	return p
}

func (p *project) view() object {
	return object{
		"id": p.id, "name": p.name, "slug": p.slug, "platform": p.platform, "os": p.os, "api_key": p.key,
		"count_devices": len(p.fleet.devices), "count_deployments": len(p.deployments),
		"alerts_enabled": true, "bugreport_export_enabled": false, "chunks_debug_log_length": 100,
		"dashboard_enabled": true, "device_link_strategies": []object{}, "event_debug_log_length": 100,
		"integrations": []object{}, "legacy_latest_api_enabled": false, "metric_chart_enabled": true,
		"multi_component_enabled": true, "primary_software_type": primarySoftwareType, "qcomm_enabled": false,
		"versioning_scheme": "semver",
		"created_date":      stamp(p.created), "updated_date": stamp(p.edited),
	}
}

func (p *project) ref() slugRef { return slugRef{p.id, p.name, p.slug} }

func (c *Cloud) projectHandlers() map[*operation.Operation]handler {
	return map[*operation.Operation]handler{
		operation.ProjectsCreate:           c.createProject,
		operation.ProjectsList:             c.listProjects,
		operation.ProjectsRetrieve:         func(r *request) reply { return data(r.project.view()) },
		operation.ProjectsUpdate:           c.updateProject,
		operation.ProjectsDelete:           c.deleteProject,
		operation.ProjectsGetClientKey:     func(r *request) reply { return data(object{"api_key": r.project.key}) },
		operation.ProjectsRefreshClientKey: c.refreshProjectKey,
		operation.ProjectsDataRoutes:       func(r *request) reply { return data([]object{{"token": r.project.key}}) },
	}
}

func (c *Cloud) createProject(r *request) reply {
	var body struct{ Name, Slug, Platform, OS string }
	if refused, ok := r.decode(&body); !ok {
		return refused
	}
	if body.Name == "" || body.Slug == "" {
		return invalid("name", "Missing data for required field.")
	}
	org := c.organization(r.PathValue("organization_slug"))
	for _, p := range org.projects {
		if p.name == body.Name || p.slug == body.Slug {
			return fail(http.StatusConflict, fmt.Sprintf("A project named `%s` already exists", body.Name))
		}
	}
	p := c.addProject(org, body.Name, body.Slug)
	p.platform, p.os = body.Platform, body.OS
	return data(p.view())
}

func (c *Cloud) listProjects(r *request) reply {
	projects := filter(c.organization(r.PathValue("organization_slug")).projects, func(p *project) bool {
		return r.wants("name", p.name) && r.wants("platform", p.platform) && r.wants("os", p.os)
	})
	sortBy(r, projects, "created_date", func(a, b *project) int { return a.created.Compare(b.created) })
	return list(r, projects, (*project).view)
}

func (c *Cloud) updateProject(r *request) reply {
	var body struct{ Name, Slug, Platform, OS *string }
	if refused, ok := r.decode(&body); !ok {
		return refused
	}
	p := r.project
	change(&p.name, body.Name)
	change(&p.slug, body.Slug)
	change(&p.platform, body.Platform)
	change(&p.os, body.OS)
	p.edited = c.now()
	return data(p.view())
}

// change applies a field of a partial update if it is set.
func change[T any](to, from *T) {
	if from != nil {
		*to = *from
	}
}

func (c *Cloud) deleteProject(r *request) reply {
	org := c.organization(r.PathValue("organization_slug"))
	org.projects = slices.DeleteFunc(org.projects, func(p *project) bool { return p == r.project })
	return noContent()
}

func (c *Cloud) refreshProjectKey(r *request) reply {
	r.project.key = randomHex()
	return data(object{"api_key": r.project.key})
}
