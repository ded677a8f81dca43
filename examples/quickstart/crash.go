package main

import (
	"context"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/memfault-go/memfault"
)

// crash lets a device boot, crash and upload its chunks, and reads what Memfault makes of them.
func crash(ctx context.Context, out io.Writer, client *memfault.Client, project memfault.ProjectRef, projectKey string) error {
	const serial = "BOARD-0001"
	now := time.Now()
	board := device{softwareType: "main", softwareVersion: "2.1.0", hardwareVersion: "evt-1"}
	sent := slices.Concat(
		chunks(board.reboot(now, powerOnReset, 0, false)),
		chunks(board.coredump(hardFault, []byte("the stack of the main task, at the time of the crash"))),
		chunks(board.reboot(now, hardFault, 0x08001234, true)),
	)
	gateway := client.WithAuth(memfault.ProjectKey(projectKey))
	if err := gateway.Chunks.Upload(ctx, serial, sent); err != nil {
		return err
	}
	fmt.Fprintf(out, "\nThe device %s booted, crashed, and sent %d chunks.\n", serial, len(sent))

	reboots, err := client.Devices.ListReboots(project, serial, memfault.RebootListOptions{}).Collect(ctx)
	if err != nil {
		return err
	}
	for _, reboot := range reboots {
		fmt.Fprintf(out, "  reboot    %s  %s\n", reboot.Time.UTC().Format(timeFormat), reboot.Reason)
	}
	for issue, err := range client.Issues.List(project, memfault.IssueListOptions{}).All(ctx) {
		if err != nil {
			return err
		}
		fmt.Fprintf(out, "  issue     %s: %d trace of %d device\n", issue.Title, issue.TraceCount, issue.DeviceCount)
	}
	traces, err := client.Traces.List(project, memfault.TraceListOptions{}).Collect(ctx)
	if err != nil {
		return err
	}
	for _, trace := range traces {
		fmt.Fprintf(out, "  trace     %s on %s, software version %s\n", trace.Reason, trace.Device.DeviceSerial, trace.Version())
	}
	coredumps, err := client.Coredumps.List(project, memfault.CoredumpListOptions{}).Collect(ctx)
	if err != nil {
		return err
	}
	for _, coredump := range coredumps {
		done, err := client.Coredumps.Download(ctx, project, coredump.ID, io.Discard, memfault.CoredumpDownloadOptions{})
		if err != nil {
			return err
		}
		fmt.Fprintf(out, "  coredump  %d bytes\n", done.Size)
	}
	return nil
}
