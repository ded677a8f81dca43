package web

import (
	"context"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/memfault-go/memfault"

	"github.com/memfault-go/memfault/examples/dashboard/internal/reader"
	"github.com/memfault-go/memfault/examples/dashboard/internal/store"
)

// snapshot is what several sections of a page show, for a part of the fleet.
type snapshot struct {
	now        time.Time
	scope      store.Filter // the filters of the page
	perHundred bool         // whether reboots are shown for 100 devices
	counts     []store.Count
	all        store.Count // the sums
	samples    []store.Sample

	deployments []memfault.Deployment
	rollouts    []rollout
	issues      []issueRow
	verdict     verdict
}

const (
	maxSnapshots = 32
	snapshotLife = time.Minute // "in 24 hours" changes with time
)

// snapshots keeps the snapshots of the last scopes until something changes.
type snapshots struct {
	mu   sync.Mutex
	kept map[[3]string]*snapshot
}

func (s *snapshots) forget() {
	s.mu.Lock()
	defer s.mu.Unlock()
	clear(s.kept)
}

// scopeOf returns the filters in the address of a page.
func scopeOf(r *http.Request) store.Filter {
	return store.Filter{Cohort: r.FormValue("cohort"), Hardware: r.FormValue("hardware"), Version: r.FormValue("version")}
}

func perHundred(r *http.Request) bool { return r.FormValue("per") == "100" }

func scopeKey(f store.Filter) [3]string { return [3]string{f.Cohort, f.Hardware, f.Version} }

// snapshot returns the snapshot of a scope. It is kept until something changes.
func (s *Server) snapshot(ctx context.Context, scope store.Filter) (*snapshot, error) {
	s.snapshots.mu.Lock()
	defer s.snapshots.mu.Unlock()
	key := scopeKey(scope)
	now := s.Now()
	if kept := s.snapshots.kept[key]; kept != nil && now.Sub(kept.now) < snapshotLife {
		return kept, nil
	}
	made, err := s.newSnapshot(ctx, scope, now)
	if err != nil {
		return nil, err
	}
	if s.snapshots.kept == nil || len(s.snapshots.kept) >= maxSnapshots {
		s.snapshots.kept = map[[3]string]*snapshot{}
	}
	s.snapshots.kept[key] = made
	return made, nil
}

func (s *Server) newSnapshot(ctx context.Context, scope store.Filter, now time.Time) (*snapshot, error) {
	x := &snapshot{now: now, scope: scope}
	var err error
	if x.counts, err = s.counts(ctx, scope, now); err != nil {
		return nil, err
	}
	for _, c := range x.counts {
		x.all.Devices += c.Devices
		x.all.Seen += c.Seen
		x.all.SeenRead += c.SeenRead
		x.all.Unseen += c.Unseen
		x.all.Kept += c.Kept
		x.all.KeptRead += c.KeptRead
	}
	if x.samples, err = s.Store.Samples(ctx, scope, now.AddDate(0, 0, -reader.RebootDays)); err != nil {
		return nil, err
	}
	if x.deployments, err = store.Objects[memfault.Deployment](ctx, s.Store, reader.Deployments); err != nil {
		return nil, err
	}
	if x.rollouts, err = s.loadRollouts(ctx, x); err != nil {
		return nil, err
	}
	version, since := x.newVersion()
	if x.issues, err = s.loadIssueRows(ctx, x, version, since); err != nil {
		return nil, err
	}
	for i := range x.rollouts {
		x.rollouts[i].NewIssues = countOnly(x.issues, x.rollouts[i].Version)
	}
	x.verdict, err = s.newVerdict(ctx, x, version, since)
	return x, err
}

func (s *Server) counts(ctx context.Context, scope store.Filter, now time.Time) ([]store.Count, error) {
	return s.Store.Counts(ctx, scope, store.CountTimes{Seen: now.Add(-24 * time.Hour), Unseen: now.Add(-s.UnseenAfter), Kept: reader.RebootsSince(now)})
}

// newVersion returns the version of the newest active rollout, and when it was first deployed.
func (x *snapshot) newVersion() (version string, since time.Time) {
	for _, r := range x.rollouts {
		switch {
		case r.Ended:
		case version == "":
			version, since = r.Version, r.DeployedDate.Time
		case r.Version == version && r.DeployedDate.Before(since):
			since = r.DeployedDate.Time
		}
	}
	return version, since
}

// seenAround returns how many devices were seen in the 24 hours before a time, if a sample of about
// that time is stored.
func (x *snapshot) seenAround(at time.Time) (b before) {
	const about = 90 * time.Minute
	nearest := about
	for _, sample := range x.samples {
		if distance := sample.Time.Sub(at).Abs(); distance <= nearest {
			nearest, b = distance, before{Seen: sample.Seen, Known: true}
		}
	}
	return b
}

func (s *Server) newVerdict(ctx context.Context, x *snapshot, version string, since time.Time) (verdict, error) {
	v := verdict{Version: version}
	if version != "" {
		for _, r := range x.rollouts {
			if !r.Ended && r.Version == version {
				v.Cohorts = append(v.Cohorts, r.Cohort.Slug)
			}
		}
		var err error
		if v.Comparison, err = s.compare(ctx, x, version, v.Cohorts); err != nil {
			return v, err
		}
	}
	crashed, err := s.Store.Crashed(ctx, x.scope, x.now.Add(-24*time.Hour))
	if err != nil {
		return v, err
	}
	crashFree := check{Title: "Crash-free devices, 24 h", Text: "no reboots were read yet"}
	if x.all.SeenRead > 0 {
		crashFree = s.Rules.checkCrashFree(x.all.SeenRead, crashed)
	}
	v.Checks = append(v.Checks, crashFree,
		s.Rules.checkSeen(x.all.Seen, x.seenAround(x.now.Add(-24*time.Hour)), x.seenAround(x.now.AddDate(0, 0, -7))))
	if s.wasRead(reader.Issues) {
		v.Checks = append(v.Checks, s.Rules.checkIssues(x.issues, version, since, x.now))
	} else {
		v.Checks = append(v.Checks, check{Title: "New issues", Text: "issues were not read yet"})
	}
	if ended := checkEnded(x.rollouts); ended.Title != "" {
		v.Checks = append(v.Checks, ended)
	}
	v.conclude()
	return v, nil
}

// compare compares a version with the one before it, in cohorts of the scope.
func (s *Server) compare(ctx context.Context, x *snapshot, version string, cohorts []string) (comparison, error) {
	filter := store.Filter{Cohort: x.scope.Cohort, Hardware: x.scope.Hardware, Cohorts: cohorts}
	since := x.now.AddDate(0, 0, -compareDays)
	c := comparison{New: store.Rate{Version: version}}
	rates, err := s.Store.Rates(ctx, filter, since)
	if err != nil {
		return c, err
	}
	days, devices := map[string]float64{}, map[string]int{}
	for _, r := range rates {
		if r.Version == version {
			c.New = r
		}
		days[r.Version] = r.DeviceDays
	}
	for _, count := range x.counts {
		if slices.Contains(cohorts, count.Cohort) {
			devices[count.Version] += count.Devices
		}
	}
	c.Old.Version = versionBefore(version, days, devices)
	for _, r := range rates {
		if r.Version == c.Old.Version {
			c.Old = r
		}
	}
	for _, of := range []struct {
		version string
		n       *int
	}{{version, &c.NewDevices}, {c.Old.Version, &c.OldDevices}} {
		if of.version == "" {
			continue
		}
		if *of.n, err = s.Store.CountRan(ctx, filter, of.version, since, s.Rules.MinDevices); err != nil {
			return c, err
		}
	}
	if c.Crashed, err = s.Store.CrashedWith(ctx, filter, version, since); err != nil {
		return c, err
	}
	s.Rules.compare(&c)
	return c, nil
}

// versionBefore returns the version with which a new one is compared: of the lower versions that
// which ran longest, or, if nothing was counted yet, which runs on most devices.
func versionBefore(version string, days map[string]float64, devices map[string]int) string {
	best := ""
	for candidate := range merged(days, devices) {
		if candidate == "" || candidate == version || isVersion(version) && compareVersions(candidate, version) >= 0 {
			continue
		}
		if best == "" || days[candidate] > days[best] || days[candidate] == days[best] && (devices[candidate] > devices[best] || devices[candidate] == devices[best] && candidate > best) {
			best = candidate
		}
	}
	return best
}

func merged(days map[string]float64, devices map[string]int) map[string]bool {
	all := map[string]bool{}
	for version := range days {
		all[version] = true
	}
	for version := range devices {
		all[version] = true
	}
	return all
}
