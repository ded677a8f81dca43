package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"maps"
	"slices"
	"text/tabwriter"
	"time"

	"github.com/memfault-go/memfault"
)

// timeFormat shows the zone of a time.
const timeFormat = time.DateTime + " MST"

// reboot is a reboot with the serial of its device.
type reboot struct {
	serial string
	memfault.Reboot
}

// summarize reads the fleet and prints a summary of it.
func summarize(ctx context.Context, out io.Writer, client *memfault.Client, project memfault.ProjectRef) error {
	byCohort, byVersion := map[string]int{}, map[string]int{}
	dayAgo := time.Now().Add(-24 * time.Hour)
	var devices []memfault.Device
	var silent int
	for device, err := range client.Devices.List(project, memfault.DeviceListOptions{}).Prefetch(8).All(ctx) {
		if err != nil {
			return err
		}
		devices = append(devices, device)
		byCohort[device.Cohort.Slug]++
		byVersion[versionOf(device)]++
		if device.LastSeen.Before(dayAgo) {
			silent++
		}
	}
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintf(w, "Project %s/%s: %d devices\n", project.Organization, project.Project, len(devices))
	printCounts(w, "\nDevices by cohort", byCohort, slices.Sorted(maps.Keys(byCohort)))
	printCounts(w, "\nDevices by software version, newest first", byVersion, newestFirst(maps.Keys(byVersion)))
	fmt.Fprintf(w, "\nDevices not seen for a day: %d\n", silent)

	reboots, err := latestReboots(ctx, client, project, devices)
	if err != nil {
		return err
	}
	fmt.Fprintf(w, "\nLatest reboots\n")
	for _, r := range reboots {
		fmt.Fprintf(w, "  %s\t%s\t%s\n", r.Time.UTC().Format(timeFormat), r.serial, r.Reason)
	}
	return w.Flush()
}

func versionOf(device memfault.Device) string {
	if device.LastSeenSoftwareVersion == nil {
		return "(never reported)"
	}
	return device.LastSeenSoftwareVersion.Version
}

func printCounts(w io.Writer, title string, counts map[string]int, names []string) {
	fmt.Fprintln(w, title)
	for _, name := range names {
		fmt.Fprintf(w, "  %s\t%d\n", name, counts[name])
	}
}

// latestReboots returns the ten latest reboots of the 20 devices that were seen last.
func latestReboots(ctx context.Context, client *memfault.Client, project memfault.ProjectRef, devices []memfault.Device) ([]reboot, error) {
	slices.SortFunc(devices, func(a, b memfault.Device) int { return b.LastSeen.Compare(a.LastSeen.Time) })
	var found []reboot
	for _, device := range devices[:min(20, len(devices))] {
		page, err := client.Devices.ListReboots(project, device.DeviceSerial, memfault.RebootListOptions{}).Page(ctx)
		if err != nil {
			return nil, err
		}
		for _, r := range page.Items {
			found = append(found, reboot{device.DeviceSerial, r})
		}
	}
	slices.SortFunc(found, func(a, b reboot) int {
		return cmp.Or(b.Time.Compare(a.Time.Time), cmp.Compare(a.serial, b.serial))
	})
	return found[:min(10, len(found))], nil
}
