// Package fleetreport writes the nightly report of a fleet. It is a small program of a user, whose
// tests use nothing of this project but its public packages.
package fleetreport

import (
	"bytes"
	"context"
	"fmt"
	"time"

	"github.com/memfault-go/memfault"
)

// Write writes the versions of each cohort, the devices that were not seen for a week, and the
// issues that are new since the last report, whose cursor is last. It returns the next cursor.
func Write(ctx context.Context, w *bytes.Buffer, client *memfault.Client, project memfault.ProjectRef, last memfault.WatchCursor) (next memfault.WatchCursor, err error) {
	for cohort, err := range client.Cohorts.List(project, memfault.CohortListOptions{}).All(ctx) {
		if err != nil {
			return last, err
		}
		counts, err := client.Cohorts.CountVersions(ctx, project, cohort.Slug)
		if err != nil {
			return last, err
		}
		fmt.Fprintf(w, "cohort %s: %v\n", cohort.Slug, counts)
	}
	silent := memfault.DeviceListOptions{LastSeenUntil: memfault.NewTimestamp(time.Now().AddDate(0, 0, -7))}
	for device, err := range client.Devices.List(project, silent).All(ctx) {
		if err != nil {
			return last, err
		}
		fmt.Fprintf(w, "silent: %s, last seen %s\n", device.DeviceSerial, device.LastSeen.Format(time.DateOnly))
	}
	watch := memfault.WatchOptions{Start: last, Once: true, OnPoll: func(c memfault.WatchCursor) { next = c }}
	for found, err := range client.Issues.Watch(ctx, project, watch) {
		if err != nil {
			return last, err
		}
		fmt.Fprintf(w, "new issue %d: %s\n", found.Item.ID, found.Item.Title)
	}
	return next, nil
}
