package fakecloud

import (
	"cmp"
	"fmt"
)

// Deployment describes a deployment of a release to a cohort.
type Deployment struct {
	Release        string // its version
	Cohort         string // a slug; default by default
	Status         string // done by default; for a staged rollout in_progress
	DeltaFrom      string // if set, the delta release from this version is deployed
	RolloutPercent int    // if not 0, a staged rollout to this share of the devices
}

// AddDeployments adds deployments to the default project, and returns their IDs, or 0 for one that
// is not valid. The release or the delta release and the cohort must exist.
func (c *Cloud) AddDeployments(deployments ...Deployment) []int64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	var ids []int64
	p := c.seeded
	for _, d := range deployments {
		release := refers("release", d.Release, p.release(d.Release) != nil)
		if d.DeltaFrom != "" {
			release = refers("delta release", d.DeltaFrom+" to "+d.Release, p.delta(d.DeltaFrom, d.Release) != nil)
		}
		if !c.accepts("a deployment", required("release", d.Release), release, refers("cohort", d.Cohort, p.cohort(d.Cohort) != nil)) {
			ids = append(ids, 0)
			continue
		}
		ids = append(ids, c.addDeployment(c.seeded, d).id)
	}
	return ids
}

// addDeployment adds a deployment of a release that exists.
func (c *Cloud) addDeployment(p *project, seed Deployment) *deployment {
	d := &deployment{
		kind: "normal", status: cmp.Or(seed.Status, "done"), percent: seed.RolloutPercent,
		cohort: c.ensureCohort(p, cmp.Or(seed.Cohort, "default")), created: c.now(), edited: c.now(), deployed: c.now(),
	}
	if seed.RolloutPercent != 0 {
		d.kind, d.status = "staged_rollout", cmp.Or(seed.Status, "in_progress")
	}
	if d.release = p.release(seed.Release); seed.DeltaFrom != "" {
		d.delta = p.delta(seed.DeltaFrom, seed.Release)
	}
	d.id = c.newID()
	p.deployments = append(p.deployments, d)
	return d
}

// stage sets the status and the percentage. A percentage is required for a staged rollout,
// and invalid for a normal deployment.
func (d *deployment) stage(percent *int) (reply, bool) {
	switch {
	case d.kind == "normal" && percent == nil:
		d.status = "done"
	case d.kind == "staged_rollout" && percent != nil && *percent >= 0 && *percent <= 100:
		d.status, d.percent = "in_progress", *percent
	case d.kind == "normal" || d.kind == "staged_rollout":
		return invalid("rollout_percent", "Not a percentage, or the deployment is not a staged rollout."), false
	default:
		return invalid("type", "Not a valid choice."), false
	}
	return reply{}, true
}

// resolve finds the release by its version, ID or pair of versions, and the cohort by its
// slug or ID.
func (d *deployment) resolve(p *project, release, cohort any) (reply, bool) {
	if pair, ok := release.([]any); ok && len(pair) == 2 {
		d.delta = p.delta(fmt.Sprint(pair[0]), fmt.Sprint(pair[1]))
		if d.delta == nil {
			return notFound(fmt.Sprintf("Delta release from `%v` to `%v` not found", pair[0], pair[1])), false
		}
		d.release = d.delta.to
	}
	for _, rel := range p.releases {
		if named(release, rel.version, rel.id) {
			d.release = rel
		}
	}
	for _, co := range p.cohorts {
		if named(cohort, co.slug, co.id) {
			d.cohort = co
		}
	}
	switch {
	case release == nil || cohort == nil:
		return invalid("release", "Missing data for required field."), false
	case d.release == nil:
		return unknownRelease(fmt.Sprint(release)), false
	case d.cohort == nil:
		return notFound(fmt.Sprintf("Cohort with slug `%v` not found", cohort)), false
	default:
		return reply{}, true
	}
}

func named(value any, slug string, id int64) bool { return value == slug || value == float64(id) }
