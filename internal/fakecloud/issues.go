package fakecloud

import (
	"slices"
	"strconv"
	"time"

	"github.com/memfault-go/memfault/internal/operation"
)

// Issue describes an issue. Its counts and times follow from its traces.
type Issue struct {
	Title, Message, Reason string
	Signature              string
	Status                 string // open by default
}

type issue struct {
	Issue
	id              int64
	resolution      any // an object, or nil
	created, edited time.Time
}

func (i *issue) identity() int64 { return i.id }

// issue returns the issue with an ID, or nil.
func (p *project) issue(id int64) *issue {
	at := slices.IndexFunc(p.diagnostics.issues, func(i *issue) bool { return i.id == id })
	if at < 0 {
		return nil
	}
	return p.diagnostics.issues[at]
}

// AddIssue adds an issue to the default project, and returns its ID.
func (c *Cloud) AddIssue(i Issue) int64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.addIssue(c.seeded, i).id
}

func (c *Cloud) addIssue(p *project, i Issue) *issue {
	if i.Status == "" {
		i.Status = "open"
	}
	added := &issue{Issue: i, id: c.newID(), created: c.now(), edited: c.now()}
	p.diagnostics.issues = append(p.diagnostics.issues, added)
	return added
}

func (c *Cloud) issueHandlers() map[*operation.Operation]handler {
	withIssue := func(handle func(*request, *issue) reply) handler {
		return withID("Issue", "issue_id", func(p *project) []*issue { return p.diagnostics.issues }, handle)
	}
	return map[*operation.Operation]handler{
		operation.IssuesList:       listIssues,
		operation.IssuesRetrieve:   withIssue(func(r *request, i *issue) reply { return data(r.project.issueDetail(i)) }),
		operation.IssuesUpdate:     withIssue(c.updateIssue),
		operation.IssuesDelete:     withIssue(deleteIssue),
		operation.IssuesFirstTrace: withIssue(firstTrace),
	}
}

// issueTotals summarizes the traces of an issue.
type issueTotals struct {
	traces              []*trace // newest first
	devices             int
	firstSeen, lastSeen time.Time
}

func (p *project) totals(i *issue) issueTotals {
	totals := issueTotals{firstSeen: i.created, lastSeen: i.created}
	totals.traces = filter(p.newestTraces(), func(t *trace) bool { return t.Issue == i.id })
	serials := map[string]bool{}
	for _, t := range totals.traces {
		serials[t.DeviceSerial] = true
	}
	totals.devices = len(serials)
	if n := len(totals.traces); n > 0 {
		totals.firstSeen, totals.lastSeen = totals.traces[n-1].Captured, totals.traces[0].Captured
	}
	return totals
}

// issueView is the form of an issue in a list. It has no last_trace, which only older
// responses of the real cloud contain there.
func (p *project) issueView(i *issue) object {
	totals := p.totals(i)
	view := object{
		"id": i.id, "status": i.Status, "title": i.Title, "message": i.Message, "reason": i.Reason, "signature": i.Signature,
		"resolution": i.resolution, "device_count": totals.devices, "trace_count": len(totals.traces),
		"first_seen": stamp(totals.firstSeen), "last_seen": stamp(totals.lastSeen),
		"created_date": stamp(i.created), "updated_date": stamp(i.edited),
	}
	if n := len(totals.traces); n > 0 {
		view["first_software_version"] = p.softwareVersionRef("main", totals.traces[n-1].SoftwareVersion)
		view["last_software_version"] = p.softwareVersionRef("main", totals.traces[0].SoftwareVersion)
	}
	return view
}

func (p *project) issueDetail(i *issue) object {
	view := p.issueView(i)
	if traces := p.totals(i).traces; len(traces) > 0 {
		view["last_trace"] = traces[0].view()
	}
	return view
}

func listIssues(r *request) reply {
	title := r.query.Get("title")
	totals := r.project.totals
	issues := filter(r.project.diagnostics.issues, func(i *issue) bool {
		of := totals(i)
		return r.wants("status", i.Status) && r.wants("signature", i.Signature) && (title == "" || wildcard(title, i.Title)) &&
			r.within(of.firstSeen, "first_seen_since", "first_seen_until") && r.within(of.lastSeen, "last_seen_since", "last_seen_until") &&
			of.devices >= r.number("min_device_count") && len(of.traces) >= r.number("min_crash_count") && r.wantsCohort(of.traces)
	})
	sortBy(r, issues, "first_seen", func(a, b *issue) int { return totals(a).firstSeen.Compare(totals(b).firstSeen) })
	sortBy(r, issues, "last_seen", func(a, b *issue) int { return totals(a).lastSeen.Compare(totals(b).lastSeen) })
	sortBy(r, issues, "device_count", func(a, b *issue) int { return totals(a).devices - totals(b).devices })
	sortBy(r, issues, "trace_count", func(a, b *issue) int { return len(totals(a).traces) - len(totals(b).traces) })
	return list(r, issues, r.project.issueView)
}

// number returns a number from the query, or 0.
func (r *request) number(name string) int {
	n, _ := strconv.Atoi(r.query.Get(name)) // 0 if absent
	return n
}

func (r *request) wantsID(name string, id int64) bool {
	return r.wants(name, strconv.FormatInt(id, 10))
}

func (r *request) wantsCohort(traces []*trace) bool {
	return !r.query.Has("cohort") ||
		slices.ContainsFunc(traces, func(t *trace) bool { return r.wants("cohort", t.device.cohort.slug) })
}

func (c *Cloud) updateIssue(r *request, i *issue) reply {
	var body struct{ Status string }
	if refused, ok := r.decode(&body); !ok {
		return refused
	}
	if body.Status == "" {
		return invalid("status", "Missing data for required field.")
	}
	before := i.Status
	i.Status, i.edited, i.resolution = body.Status, c.now(), nil
	switch {
	case before != "resolved" && body.Status == "resolved":
		c.sendIssueWebhook(r.project, webhookIssueResolved, i)
	case before == "resolved" && body.Status != "resolved":
		c.sendIssueWebhook(r.project, webhookIssueReopened, i)
	}
	if body.Status == "resolved" {
		resolution := object{"actor": nil, "timestamp": stamp(i.edited)}
		if u := r.credential.user; u != nil {
			resolution["actor"] = object{"id": u.id, "email": u.email, "name": u.name}
		}
		i.resolution = resolution
	}
	return data(r.project.issueDetail(i))
}

func deleteIssue(r *request, i *issue) reply {
	all := &r.project.diagnostics.issues
	*all = slices.DeleteFunc(*all, func(other *issue) bool { return other == i })
	return noContent()
}

// firstTrace contains the threads at the top level, as one program expects them.
func firstTrace(r *request, i *issue) reply {
	traces := slices.Clone(r.project.totals(i).traces)
	if len(traces) == 0 {
		return notFound("The issue has no trace")
	}
	sortBy(r, traces, "created_date", func(a, b *trace) int { return int(a.id - b.id) })
	view := traces[0].view()
	view["threads"] = threads(traces[0])
	delete(view, "entries")
	return data(view)
}
