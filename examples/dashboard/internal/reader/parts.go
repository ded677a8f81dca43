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

	// SampleDays is the number of days for which points of the rollouts are kept.
	SampleDays = 90
	// MaxIssues is the number of issues that are read, those with the most traces.
	MaxIssues = 50
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

func (r *Reader) readIssues(ctx context.Context) error {
	return savePage(ctx, r, Issues, r.Client.Issues.List(r.Project, memfault.IssueListOptions{
		ListOptions: memfault.ListOptions{PerPage: MaxIssues, Sort: memfault.Descending(memfault.SortTraceCount)},
	}))
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

// sample stores a point of the rollouts.
func (r *Reader) sample(ctx context.Context) error {
	counts, err := r.Store.Counts(ctx)
	if err != nil {
		return err
	}
	now := r.Now()
	if err := r.Store.SaveSample(ctx, now.Truncate(r.SampleEvery), counts); err != nil {
		return err
	}
	return r.Store.RemoveSamples(ctx, now.AddDate(0, 0, -SampleDays))
}
