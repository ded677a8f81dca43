package fakecloud

import (
	"cmp"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/memfault-go/memfault/internal/operation"
)

type deployment struct {
	id                        int64
	kind, status              string
	percent                   int
	release                   *release // for a delta, the target
	delta                     *delta   // nil for a full release
	cohort                    *cohort
	deployer                  *user // nil if created with a token
	extraInfo                 json.RawMessage
	created, edited, deployed time.Time
}

func (d *deployment) isActive() bool { return d.status == "done" || d.status == "in_progress" }

func (d *deployment) uses(rel *release) bool {
	return d.release == rel || d.delta != nil && d.delta.from == rel
}

// lastDeployment returns the view of the latest deployment to a cohort, or nil.
func (p *project) lastDeployment(c *cohort) any {
	var last any
	for _, d := range p.deployments {
		if d.cohort == c {
			last = p.deploymentView(d)
		}
	}
	return last
}

// countStaged returns the number of devices that the staged rollouts reach.
func (p *project) countStaged(active []*deployment) int {
	n := 0
	for _, d := range active {
		if d.kind == "staged_rollout" {
			n += len(filter(p.fleet.inCohort(d.cohort), func(dev *device) bool { return p.reaches(d, dev.serial) }))
		}
	}
	return n
}

func (p *project) deploymentView(d *deployment) object {
	co := object{"id": d.cohort.id, "name": d.cohort.name, "slug": d.cohort.slug, "count_devices": p.fleet.counts[d.cohort]}
	var deployer any
	if u := d.deployer; u != nil {
		deployer = object{"id": u.id, "email": u.email, "name": u.name}
	}
	rel := d.release.ref()
	if d.delta != nil {
		rel = object{"type": "delta", "from_version": d.delta.from.ref(), "to_version": d.delta.to.ref()}
	}
	return object{
		"id": d.id, "type": d.kind, "status": d.status, "rollout_percent": d.percent, "release": rel, "cohort": co,
		"deployer": deployer, "extra_info": d.extraInfo,
		"created_date": stamp(d.created), "updated_date": stamp(d.edited), "deployed_date": stamp(d.deployed),
	}
}

func (c *Cloud) deploymentHandlers() map[*operation.Operation]handler {
	return map[*operation.Operation]handler{
		operation.DeploymentsCreate:     c.createDeployment,
		operation.DeploymentsList:       listDeployments,
		operation.DeploymentsRetrieve:   withDeployment(func(r *request, d *deployment) reply { return data(r.project.deploymentView(d)) }),
		operation.DeploymentsUpdate:     withDeployment(c.updateDeployment),
		operation.DeploymentsDeactivate: withDeployment(c.deactivateDeployment),
	}
}

// withDeployment responds with 404 if the deployment does not exist.
func withDeployment(handle func(*request, *deployment) reply) handler {
	return func(r *request) reply {
		id := r.PathValue("deployment_id")
		for _, d := range r.project.deployments {
			if strconv.FormatInt(d.id, 10) == id {
				return handle(r, d)
			}
		}
		return notFound(fmt.Sprintf("Deployment with id `%s` not found", id))
	}
}

func (c *Cloud) createDeployment(r *request) reply {
	var body struct {
		Type      string          `json:"type"`
		Release   any             `json:"release"`
		Cohort    any             `json:"cohort"`
		Percent   *int            `json:"rollout_percent"`
		ExtraInfo json.RawMessage `json:"extra_info"`
	}
	if refused, ok := r.decode(&body); !ok {
		return refused
	}
	d := &deployment{kind: body.Type, extraInfo: body.ExtraInfo, deployer: r.credential.user, created: c.now(), edited: c.now(), deployed: c.now()}
	if refused, ok := d.stage(body.Percent); !ok {
		return refused
	}
	if refused, ok := d.resolve(r.project, body.Release, body.Cohort); !ok {
		return refused
	}
	for _, other := range r.project.deployments {
		if other.isActive() && other.cohort == d.cohort && other.release == d.release && other.delta == d.delta {
			return fail(http.StatusConflict, fmt.Sprintf("Release %s is already active on cohort %s", d.release.version, d.cohort.slug))
		}
	}
	d.id = c.newID()
	r.project.deployments = append(r.project.deployments, d)
	return data(r.project.deploymentView(d))
}

// compare orders deployments by the time of deployment.
func (d *deployment) compare(other *deployment) int {
	return cmp.Or(d.deployed.Compare(other.deployed), cmp.Compare(d.id, other.id))
}

// listDeployments sorts the newest deployment first by default.
func listDeployments(r *request) reply {
	q := r.query
	deployments := filter(r.project.deployments, func(d *deployment) bool {
		if q.Has("release") && (d.delta != nil || !r.wants("release", d.release.version)) {
			return false
		}
		if (q.Has("delta_from") || q.Has("delta_to")) &&
			(d.delta == nil || !r.wants("delta_from", d.delta.from.version) || !r.wants("delta_to", d.delta.to.version)) {
			return false
		}
		return r.wants("cohort", d.cohort.slug) && r.within(d.deployed, "since", "until")
	})
	slices.SortStableFunc(deployments, func(a, b *deployment) int { return b.compare(a) })
	sortBy(r, deployments, "deployed_date", (*deployment).compare)
	return list(r, deployments, r.project.deploymentView)
}

func (c *Cloud) updateDeployment(r *request, d *deployment) reply {
	var body struct {
		ExtraInfo json.RawMessage `json:"extra_info"`
		Percent   *int            `json:"rollout_percent"`
	}
	if refused, ok := r.decode(&body); !ok {
		return refused
	}
	if body.ExtraInfo != nil {
		d.extraInfo = body.ExtraInfo
	}
	change(&d.percent, body.Percent)
	d.edited = c.now()
	return data(r.project.deploymentView(d))
}

func (c *Cloud) deactivateDeployment(_ *request, d *deployment) reply {
	d.status, d.edited = "pulled", c.now()
	return noContent()
}
