package reader

import (
	"context"
	"time"

	"github.com/memfault-go/memfault"

	"github.com/memfault-go/memfault/examples/dashboard/internal/store"
)

const (
	pageSize = 100 // the most that Memfault documents
	prefetch = 8   // pages in flight
	// overlap is read twice: a device that reported while the last read ran may have been
	// missed, and the clock of this machine may differ from Memfault's.
	overlap = 5 * time.Minute

	// MaxIssues is the number of issues that are read: of those with the most traces, and again of
	// those that were seen first most recently.
	MaxIssues = 50
	// MaxTraces is the number of traces that are kept, the newest.
	MaxTraces = 20_000
	// firstTraces is the number of pages of traces that the first read reads.
	firstTraces = 20
)

func (r *Reader) readProject(ctx context.Context) error {
	project, err := r.Client.Projects.Get(ctx, r.Project)
	if err != nil {
		return err
	}
	project.APIKey = "" // a credential: it must not be in the store
	return store.SaveObjects(ctx, r.Store, Project, []memfault.Project{*project})
}

func (r *Reader) readCohorts(ctx context.Context) error {
	return saveList(ctx, r, Cohorts, r.Client.Cohorts.List(r.Project, memfault.CohortListOptions{}))
}

// readDeployments reads the newest page. Older deployments are rarely of interest, and a
// project can have thousands.
func (r *Reader) readDeployments(ctx context.Context) error {
	return savePage(ctx, r, Deployments, r.Client.Deployments.List(r.Project, memfault.DeploymentListOptions{
		ListOptions: memfault.ListOptions{PerPage: pageSize, Sort: memfault.Descending(memfault.SortDeployedDate)},
	}))
}

// readIssues reads two pages: the issues with the most traces, and the newest, which have few.
func (r *Reader) readIssues(ctx context.Context) error {
	var issues []memfault.Issue
	known := map[int64]bool{}
	for _, key := range []string{memfault.SortTraceCount, memfault.SortFirstSeen} {
		page, err := r.Client.Issues.List(r.Project, memfault.IssueListOptions{
			ListOptions: memfault.ListOptions{PerPage: MaxIssues, Sort: memfault.Descending(key)},
		}).Page(ctx)
		if err != nil {
			return err
		}
		for _, issue := range page.Items {
			if !known[issue.ID] {
				known[issue.ID] = true
				issues = append(issues, issue)
			}
		}
	}
	return store.SaveObjects(ctx, r.Store, Issues, issues)
}

// readTraces reads the newest traces, page by page, until all traces of a page are known. The list
// is sorted by the clocks of the devices, so a trace of a device with a wrong clock can be missed.
func (r *Reader) readTraces(ctx context.Context) error {
	pages := 0
	for page, err := range r.Client.Traces.List(r.Project, memfault.TraceListOptions{ListOptions: memfault.ListOptions{PerPage: pageSize}}).Pages(ctx) {
		if err != nil {
			return err
		}
		added, err := r.Store.SaveTraces(ctx, page.Items)
		if err != nil {
			return err
		}
		if pages++; added == 0 || pages == firstTraces {
			break
		}
	}
	return r.Store.RemoveTraces(ctx, RebootsSince(r.Now()), MaxTraces)
}

func saveList[T any](ctx context.Context, r *Reader, part string, pager *memfault.Pager[T]) error {
	items, err := pager.Collect(ctx)
	if err != nil {
		return err
	}
	return store.SaveObjects(ctx, r.Store, part, items)
}

func savePage[T any](ctx context.Context, r *Reader, part string, pager *memfault.Pager[T]) error {
	page, err := pager.Page(ctx)
	if err != nil {
		return err
	}
	return store.SaveObjects(ctx, r.Store, part, page.Items)
}

// readDevices lists the devices that were seen since the last read, or all devices if that was
// not done for a while: a device can change without being seen, for example its cohort.
func (r *Reader) readDevices(ctx context.Context) error {
	start := r.Now()
	parts, err := r.Store.Parts(ctx)
	if err != nil {
		return err
	}
	number, err := r.Store.Listing(ctx)
	if err != nil {
		return err
	}
	last, lastListing := parts[Devices], parts[listing]
	all := last.ReadAt.IsZero() || start.Sub(lastListing.ReadAt) >= r.ListAllEvery
	options := memfault.DeviceListOptions{ListOptions: memfault.ListOptions{PerPage: pageSize}}
	if all {
		number++
	} else {
		options.LastSeenSince = memfault.NewTimestamp(last.ReadAt.Add(-last.Took - overlap))
	}
	for page, err := range r.Client.Devices.List(r.Project, options).Prefetch(prefetch).Pages(ctx) {
		if err != nil {
			return err
		}
		if err := r.Store.SaveDevices(ctx, number, page.Items); err != nil {
			return err
		}
	}
	if all {
		// A device that reported meanwhile can move to a page that was already read. So a device
		// is removed only if two listings in a row do not contain it.
		if err := r.Store.RemoveUnlisted(ctx, number-1); err != nil {
			return err
		}
		if err := r.Store.SavePart(ctx, store.Part{Name: listing, ReadAt: start}); err != nil {
			return err
		}
		r.Refresh(Reboots) // which depend on the list of devices
	}
	return r.sample(ctx)
}

// sample stores the state of the fleet, for the charts over time.
func (r *Reader) sample(ctx context.Context) error {
	now := r.Now()
	counts, err := r.Store.Counts(ctx, store.Filter{}, store.CountTimes{Seen: now.Add(-24 * time.Hour)})
	if err != nil {
		return err
	}
	if err := r.Store.SaveSample(ctx, now.Truncate(r.SampleEvery), counts); err != nil {
		return err
	}
	return r.Store.RemoveSamples(ctx, now.AddDate(0, 0, -RebootDays), now.AddDate(0, 0, -2))
}
